"""Seconds of training to a quality on small images: `python -m benchmarks.quality --help`.

Ours (the basis, whose start is a closed form) beside COIN++ as published (64x5 network, Adam 3e-6,
fixed inner steps of 1e-2) and beside COIN++ with our defaults, one after the other in one process.
Test PSNR is of unquantised latents, clamped and rounded to 8 bits, mean over images; evaluation
does not count as training. A quality that is not reached within `--cap` seconds is null.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.cifar import load
from benchmarks.speed import Plane
from inrc import grid
from inrc.adapt import distortion
from inrc.methods import COINPP, Basis, Network

MARKS = (19.0, 20.0, 21.0)
EVERY = 2.0
"""Seconds of training between two evaluations."""


def psnr(network: Network, queries: Tensor, images: Tensor) -> float:
    decoded = network.decode(network.fit_latents(queries, images, None), queries)
    decoded = (decoded.clamp(0, 1) * 255).round() / 255
    error = (decoded - images).square().mean((1, 2))
    return float((-10 * torch.log10(error)).mean())


def reach(
    network: Network, rate: float, queries: Tensor, train: Tensor, test: Tensor, cap: float
) -> dict[str, object]:
    """Train until the last mark or the cap; seconds to every mark."""
    torch.manual_seed(0)
    reached: dict[str, float | None] = {str(mark): None for mark in MARKS}
    begin = time.perf_counter()
    network.field.start(queries, train, None)
    spent = time.perf_counter() - begin
    learners = [
        p for part in (network.field, network.adapter) for p in part.parameters() if p.requires_grad
    ]
    optimizer = torch.optim.Adam(learners, lr=rate)
    steps = 0
    while True:
        quality = psnr(network, queries, test)
        for mark in MARKS:
            if quality >= mark and reached[str(mark)] is None:
                reached[str(mark)] = round(spent, 2)
        if spent >= cap or reached[str(MARKS[-1])] is not None:
            return {"reached": reached, "seconds": spent, "steps": steps, "psnr": quality}
        begin = time.perf_counter()
        while time.perf_counter() - begin < EVERY:
            images = train[torch.randint(0, len(train), (16,))]
            latent = network.adapter(network.predict, queries, images, create_graph=True)
            loss = distortion(network.predict(latent, queries), images, None).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learners, 1.0)
            optimizer.step()
            steps += 1
        spent += time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="npz of training images")
    parser.add_argument("--test", type=Path, required=True, help="npz of test images")
    parser.add_argument("--cap", type=float, default=120.0, help="seconds for each")
    args = parser.parse_args()
    train, test = (_features(load(path)) for path in (args.train, args.test))
    queries = grid.coordinates((32, 32)).unsqueeze(0)
    torch.manual_seed(0)
    published = COINPP(latent_dim=64, w0=50.0, lr=1e-2, learn_lr=False)
    rows = {
        "basis": (Basis(latent_dim=64), 5e-4),
        "coinpp, our defaults": (COINPP(latent_dim=64), 1e-3),
        "coinpp, published schedule": (published, 3e-6),
    }
    results = {
        name: reach(method.build(2, 3, Plane()), rate, queries, train, test[:256], args.cap)
        for name, (method, rate) in rows.items()
    }
    print(json.dumps({"threads": torch.get_num_threads(), "rows": results}, indent=1))


def _features(images: object) -> Tensor:
    pixels = torch.as_tensor(images)
    return pixels.reshape(len(pixels), -1, 3).float() / 255.0


if __name__ == "__main__":
    main()
