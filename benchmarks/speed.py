"""Speed beside the roofline: `python -m benchmarks.speed` prints JSON.

For every size: a training step (second order), encoding per signal and decoding, each beside the
time of the bare matrix products that it contains. The products are recorded from the run itself and
replayed alone, one after the other, into memory that is allocated before. `share` is the roofline's
time over ours: 1 would mean that nothing but the products takes time.
"""

import argparse
import json
import platform
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from inrc import grid
from inrc.adapt import distortion
from inrc.methods import COINPP, VCINR, Network

SIZES = {
    "64x5": (64, 5, 64, 16),
    "128x5": (128, 5, 128, 16),
    "512x10": (512, 10, 256, 4),
}  # width, depth, latent, batch
POINTS = 1024


class Plane:
    """A modality's two tensor functions, where a query is a point."""

    def points(self, queries: Tensor) -> Tensor:
        return queries.unsqueeze(-2)

    def observe(self, values: Tensor, queries: Tensor) -> Tensor:
        return values.squeeze(-2)


class Products(TorchDispatchMode):
    """Records the shapes of all matrix products."""

    KINDS = ("mm", "addmm", "bmm", "baddbmm")

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[tuple[int, ...], ...]] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func._schema.name.removeprefix("aten::")
        if name in self.KINDS:
            a, b = args[-2:]
            layout = (_transposed(a), _transposed(b))
            self.seen[(tuple(a.shape), tuple(b.shape), layout)] += 1  # type: ignore[index]
        return func(*args, **(kwargs or {}))


def _transposed(t: Tensor) -> bool:
    return t.stride(-1) != 1


def replay(seen: Counter[Any], repeats: int) -> float:
    """Seconds of the recorded products alone: the best of the repeats of each."""
    total = 0.0
    for (a_shape, b_shape, (at, bt)), count in seen.items():
        a = torch.randn(a_shape).mT.contiguous().mT if at else torch.randn(a_shape)
        b = torch.randn(b_shape).mT.contiguous().mT if bt else torch.randn(b_shape)
        out = torch.matmul(a, b)
        multiply = torch.mm if a.dim() == 2 else torch.bmm
        total += count * best(lambda m=multiply, a=a, b=b, o=out: m(a, b, out=o), repeats)  # type: ignore[misc]
    return total


def best(function: Callable[[], Any], repeats: int) -> float:
    """The shortest of some runs in seconds, after two that do not count."""
    times = []
    for i in range(repeats + 2):
        start = time.perf_counter()
        function()
        if i >= 2:
            times.append(time.perf_counter() - start)
    return min(times)


def beside(function: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Time of a function, and of its matrix products alone, in turns on the same machine."""
    with Products() as products:
        function()
    ours, bare = [], []
    for _ in range(3):
        ours.append(best(function, repeats))
        bare.append(replay(products.seen, repeats))
    seconds, roofline = statistics.median(ours), statistics.median(bare)
    return {
        "seconds": seconds,
        "roofline_seconds": roofline,
        "share": statistics.median(r / s for r, s in zip(bare, ours, strict=True)),
    }


def step(network: Network, optimizer: torch.optim.Optimizer, q: Tensor, x: Tensor) -> None:
    latent = network.adapter(network.predict, q, x, create_graph=True)
    loss = distortion(network.predict(latent, q), x, None).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def measure(method: COINPP | VCINR, batch: int, repeats: int) -> dict[str, Any]:
    torch.manual_seed(0)
    network = method.build(2, 3, Plane())
    optimizer = torch.optim.Adam(p for p in network.parameters() if p.requires_grad)
    q = grid.coordinates((32, 32)).unsqueeze(0)
    x = torch.rand(batch, POINTS, 3)
    latent = torch.randn(batch, method.latent_dim) * 0.1
    result: dict[str, Any] = {
        "width": method.width, "depth": method.depth, "latent": method.latent_dim, "batch": batch,
        "train_step": beside(lambda: step(network, optimizer, q, x), repeats),
        "encode": beside(lambda: network.fit_latents(q, x, None), repeats),
        "decode": beside(lambda: network.decode(latent, q), repeats),
    }  # fmt: skip
    result["encode"]["milliseconds_per_signal"] = 1e3 * result["encode"]["seconds"] / batch
    result["decode"]["million_points_per_second"] = (
        batch * POINTS / result["decode"]["seconds"] / 1e6
    )
    result["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = {}
    for name in args.sizes:
        width, depth, latent, batch = SIZES[name]
        for method in (
            COINPP(latent_dim=latent, width=width, depth=depth),
            VCINR(latent_dim=latent, width=width, depth=depth),
        ):
            rows[f"{method.name} {name}"] = measure(method, batch, args.repeats)
    machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
    print(
        json.dumps({"threads": args.threads, **machine, "points": POINTS, "rows": rows}, indent=1)
    )


if __name__ == "__main__":
    main()
