"""Training: stages, resuming, and several processes that equal one."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from inrc.data import Batch
from inrc.entropy import LearnedBottleneck
from inrc.methods import COINPP, COMBINER, VCINR, Basis, Method
from inrc.module import Compressor, Stage
from inrc_modalities.image import ImageDataModule

METHODS: list[Method] = [
    COINPP(latent_dim=6, width=12, depth=3),
    VCINR(latent_dim=6, width=12, depth=3, hyper_width=8, bottleneck_hidden=8, lambdas=[1e3, 1e4]),
    Basis(
        latent_dim=6,
        num_frequencies=24,
        basis_size=16,
        field_hidden=8,
        bottleneck_hidden=8,
        lambdas=[1e3, 1e4],
    ),
]
State = dict[str, torch.Tensor]


def data(folder: Path) -> ImageDataModule:
    return ImageDataModule(patch=16, batch_size=4, sample_folder=folder / "sample", sample_count=4)


def trainer(folder: Path, steps: int, *callbacks: Callback, saves: bool = False) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder, max_steps=steps, logger=False, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
        enable_checkpointing=saves, limit_val_batches=0, callbacks=list(callbacks),
    )  # fmt: skip


def state(module: torch.nn.Module) -> State:
    """Parameters and buffers by name."""
    return {name: p.detach().clone() for name, p in module.state_dict().items()}


class Snapshots(Callback):
    """The parameters before the first step and after every one, and the learning rates of each."""

    def __init__(self) -> None:
        self.at: dict[int, State] = {}
        self.rates: dict[int, list[float]] = {}
        self.losses: list[float] = []

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, *_: Any) -> None:
        if not self.at:
            self.at[trainer.global_step] = parameters(module.network)
        self.rates[trainer.global_step] = [g["lr"] for g in trainer.optimizers[0].param_groups]

    def on_train_batch_end(self, trainer: L.Trainer, module: Any, outputs: Any, *_: Any) -> None:
        self.at[trainer.global_step] = parameters(module.network)
        self.losses.append(float(outputs["loss"]))


def parameters(network: torch.nn.Module) -> State:
    return {n: p.detach().clone() for n, p in network.named_parameters() if p.requires_grad}


def changed(one: State, two: State, part: str) -> list[bool]:
    """Which parameters of a part of the network differ."""
    return [not torch.equal(one[n], two[n]) for n in one if n.startswith(part)]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_stage_trains_what_it_should_and_nothing_else(tmp_path: Path, method: Method) -> None:
    L.seed_everything(0, verbose=False)
    rows = data(tmp_path)
    module = Compressor(method, rows.modality, represent=3, compress=3, joint=2, warmup=1)
    seen = Snapshots()
    trainer(tmp_path, 8, seen).fit(module, rows)
    assert sorted(seen.at) == list(range(9))
    assert all(torch.isfinite(torch.tensor(seen.losses)))
    start, represented, compressed, end = (seen.at[step] for step in (0, 3, 6, 8))

    assert any(changed(start, represented, "field"))
    assert not any(changed(start, represented, "bottlenecks"))
    if changed(start, represented, "adapter"):  # Gauss-Newton has nothing to learn
        assert any(changed(start, represented, "adapter"))
    for step in (4, 5, 6):
        assert not any(changed(represented, seen.at[step], "field"))
        assert not any(changed(represented, seen.at[step], "adapter"))
    assert any(changed(compressed, end, "field"))
    if isinstance(module.network.bottleneck(0), LearnedBottleneck):
        for number in range(len(method.lambdas)):  # type: ignore[attr-defined]
            # the third step, as calibration before the first writes to them too
            assert any(changed(seen.at[5], compressed, f"bottlenecks.{number}")), number
            assert any(changed(compressed, end, f"bottlenecks.{number}")), number


def test_a_run_that_is_stopped_and_resumed_goes_on_where_it_was(tmp_path: Path) -> None:
    def run(steps: int, checkpoint: Path | None) -> tuple[Compressor, Snapshots, L.Trainer, Path]:
        rows = data(tmp_path)
        module = Compressor(METHODS[1], rows.modality, represent=4, compress=4, warmup=2)
        seen = Snapshots()
        keep = ModelCheckpoint(
            tmp_path, save_last=True, save_top_k=0, every_n_train_steps=1,
            enable_version_counter=False,
        )  # fmt: skip
        one = trainer(tmp_path, steps, seen, keep, saves=True)
        one.fit(module, rows, ckpt_path=checkpoint, weights_only=False)
        return module, seen, one, tmp_path / "last.ckpt"

    L.seed_everything(0, verbose=False)
    _, whole, _, _ = run(8, None)
    L.seed_everything(0, verbose=False)
    first, before, _, checkpoint = run(5, None)
    metric = first.metric.clone()
    moments = torch.load(checkpoint, weights_only=False)["optimizer_states"][0]["state"]
    assert moments
    L.seed_everything(1, verbose=False)  # another start: everything must come from the checkpoint
    second, after, resumed, _ = run(8, checkpoint)

    assert resumed.global_step == 8 and sorted(after.at) == [5, 6, 7, 8]
    assert not any(changed(before.at[5], after.at[5], ""))
    for part in ("field", "adapter"):
        assert changed(before.at[4], after.at[8], part)
        assert not any(changed(before.at[4], after.at[8], part))
    assert torch.equal(metric, second.metric)  # calibrated once, not again
    assert any(changed(after.at[5], after.at[8], "bottlenecks"))
    assert torch.isfinite(torch.tensor(before.losses + after.losses)).all()
    assert before.rates | after.rates == whole.rates  # the schedule does not start anew
    counts = {int(s["step"]) for s in resumed.optimizers[0].state.values()}
    assert counts == {8}  # nor do Adam's moments


DDP = """
import os, sys, torch
import torch.distributed as dist
from tests.test_module import CASES, METHODS, gradients
rank, world, port, target = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.environ.update(
    MASTER_ADDR="127.0.0.1", MASTER_PORT=port, RANK=str(rank), WORLD_SIZE=str(world)
)
dist.init_process_group("gloo")
for method, stage in CASES:
    gradient = gradients(METHODS[method], stage, rank, world)
    if rank == 0:
        torch.save(gradient, f"{target}.{method}.{stage.name}")
dist.destroy_process_group()
"""
CASES = [
    (0, Stage.REPRESENT), (1, Stage.REPRESENT), (1, Stage.COMPRESS), (1, Stage.JOINT),
    (2, Stage.REPRESENT), (2, Stage.COMPRESS),
]  # fmt: skip
"""Number of the method, stage; uniform bins have nothing to learn in the second."""


def gradients(method: Method, stage: Stage, rank: int, world: int, rows: int = 4) -> State:
    """Outer gradients of one step on this process's share of the first rows of a batch of four."""
    torch.manual_seed(0)
    module = Compressor(method, ImageDataModule(patch=8).modality, observations=None)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    queries = torch.rand(1, 64, 2) * 2 - 1
    features = torch.rand(4, 64, 3)
    module.network.field.start(queries, features, None)
    latents = module.network.fit_latents(queries, features, None)
    for bottleneck in module.network.quality_levels:
        bottleneck.calibrate(latents, torch.eye(module.network.field.latent_dim), 64)
        if isinstance(bottleneck, LearnedBottleneck):
            # noise would differ between the shares, and rounding would magnify the last bit
            assert bottleneck.density is not None
            bottleneck.density.quantize = _keep  # type: ignore[method-assign]
    share = slice(rank * rows // world, (rank + 1) * rows // world)
    batch = Batch(queries, features[share], None, torch.arange(4)[share])
    step: torch.nn.Module = _Step(module, stage)
    if world > 1:
        step = torch.nn.parallel.DistributedDataParallel(step)
    step(batch).backward()
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def _keep(inputs: torch.Tensor, *_: Any) -> torch.Tensor:
    return inputs


class _Step(torch.nn.Module):
    def __init__(self, module: Compressor, stage: Stage) -> None:
        super().__init__()
        self.module = module
        self.stage = stage

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.module.loss(batch, self.stage)


def test_two_processes_are_one_with_the_same_global_batch(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    target = str(tmp_path / "two")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DDP, str(rank), "2", port, target],
            cwd=Path(__file__).parent.parent,
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=240) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    for method, stage in CASES:
        one = gradients(METHODS[method], stage, 0, 1)
        two = torch.load(f"{target}.{method}.{stage.name}", weights_only=True)
        assert one.keys() == two.keys()
        scale = max(float(g.abs().max()) for g in one.values())
        assert scale > 0
        # float32; the share of one process alone is far from that of both
        share = gradients(METHODS[method], stage, 0, 1, rows=2)
        assert max(float((one[n] - share[n]).abs().max()) for n in one) > 1e-2 * scale
        for name, gradient in one.items():
            error = float((gradient - two[name]).abs().max())
            assert error <= min(1e-5, 1e-4 * scale), (method, stage, name)


def test_bottlenecks_without_latents_answer_for_the_signal(tmp_path: Path) -> None:
    method = COMBINER(
        width=8, depth=2, embedding=8, betas=[1e-3], first=2, steps=2, fit=2, refine=2
    )
    data = ImageDataModule(patch=8, batch_size=4, sample_folder=tmp_path, sample_count=3)
    module = Compressor(
        method, data.modality, represent=2, compress=2, observations=32, latent_distortion=True
    )
    trainer = L.Trainer(
        max_steps=4, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
    )  # fmt: skip
    trainer.fit(module, data)
    assert not module.latent_distortion and trainer.global_step == 4
