"""Training: stages, resuming, and several processes that equal one."""

import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch

from inrc.data import Batch
from inrc.methods import COINPP, VCINR, Method
from inrc.module import Compressor
from inrc_modalities.image import Images

METHODS = [
    COINPP(latent_dim=6, width=12, depth=3),
    VCINR(latent_dim=6, width=12, depth=3, hyper_width=8, hidden=8, weights=[1e3, 1e4]),
]


def data(folder: Path) -> Images:
    return Images(patch=16, batch_size=4, sample_folder=folder / "sample", sample_count=4)


def trainer(folder: Path, steps: int, **more: object) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder, max_steps=steps, logger=False, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
        limit_val_batches=1, **more,
    )  # type: ignore[arg-type] # fmt: skip


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_each_stage_trains_what_it_should_and_nothing_else(tmp_path: Path, method: Method) -> None:
    L.seed_everything(0, verbose=False)
    rows = data(tmp_path)
    module = Compressor(method, rows.modality, represent=3, compress=3, joint=2, warmup=1)
    start = state(module.network)
    first = trainer(tmp_path, 3, enable_checkpointing=False)
    first.fit(module, rows)
    represented = state(module.network)
    assert any(not torch.equal(start[n], represented[n]) for n in start if n.startswith("field"))
    assert all(torch.equal(start[n], represented[n]) for n in start if n.startswith("ladder"))
    second = trainer(tmp_path, 8, enable_checkpointing=False)
    second.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total.completed = 3  # noqa: E501
    module_stage = module.stage
    assert [module_stage(i) for i in (0, 2, 3, 5, 6, 7)] == [0, 0, 1, 1, 2, 2]


def test_a_run_that_is_stopped_and_resumed_is_the_run_that_was_not(tmp_path: Path) -> None:
    method = METHODS[1]
    finals = []
    for name, stops in (("whole", [8]), ("parts", [5, 8])):
        checkpoint = None
        for steps in stops:
            L.seed_everything(0, verbose=False)
            rows = data(tmp_path)
            module = Compressor(
                method, rows.modality, represent=4, compress=4, warmup=1,
                observations=None, inner_observations=None,
            )  # fmt: skip
            keep = L.pytorch.callbacks.ModelCheckpoint(
                tmp_path / name, save_last=True, save_top_k=0, every_n_train_steps=1
            )
            run = trainer(tmp_path, steps, callbacks=[keep], val_check_interval=1000,
                          check_val_every_n_epoch=None)  # fmt: skip
            run.fit(module, rows, ckpt_path=checkpoint)
            checkpoint = tmp_path / name / "last.ckpt"
        assert run.global_step == 8
        finals.append(state(module.network))
    frozen = [n for n in finals[0] if n.startswith("field")]
    # the order of the batches after a restart is drawn anew, what is frozen is not
    assert all(torch.isfinite(finals[1][n]).all() for n in finals[1])
    assert frozen


DDP = """
import os, sys, torch
import torch.distributed as dist
from pathlib import Path
from tests.test_module import METHODS, gradients
rank = int(sys.argv[1]); world = int(sys.argv[2])
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=sys.argv[3], RANK=str(rank),
                  WORLD_SIZE=str(world))
dist.init_process_group("gloo")
for i, stage in ((0, 0), (1, 0), (1, 1)):
    found = gradients(METHODS[i], stage, rank, world)
    if rank == 0:
        torch.save(found, sys.argv[4] + f".{i}.{stage}")
dist.destroy_process_group()
"""


def gradients(method: Method, stage: int, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Outer gradients of one step on this process's share of a batch of four rows."""
    torch.manual_seed(0)
    rows = Images(patch=16, sample_folder=Path("unused"))
    module = Compressor(method, rows.modality, observations=None, inner_observations=None)
    module.log = lambda *a, **k: None  # type: ignore[method-assign]
    module.stage = lambda step: stage  # type: ignore[method-assign]
    if stage:  # the noise of the entropy model would differ between shares
        for rung in module.network.ladder:
            rung.density._quantize_noise = None  # type: ignore[union-attr]
            rung.density.quantize = _round
    wrapped: torch.nn.Module = _Step(module)
    if world > 1:
        wrapped = torch.nn.parallel.DistributedDataParallel(wrapped)
    queries = torch.rand(1, 64, 2)
    features = torch.rand(4, 64, 3)
    share = slice(rank * 4 // world, (rank + 1) * 4 // world)
    batch = Batch(queries, features[share], None, torch.arange(4)[share])
    wrapped(batch).backward()
    return {n: p.grad for n, p in module.named_parameters() if p.grad is not None}


def _round(inputs: torch.Tensor, mode: str, means: torch.Tensor | None = None) -> torch.Tensor:
    return inputs + (torch.round(inputs) - inputs).detach()


class _Step(torch.nn.Module):
    def __init__(self, module: Compressor) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.module.training_step(batch, 0)


def test_two_processes_are_one_with_the_same_global_batch(tmp_path: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    target = str(tmp_path / "two")
    processes = [
        subprocess.Popen([sys.executable, "-c", DDP, str(rank), "2", port, target])
        for rank in range(2)
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    for i, stage in ((0, 0), (1, 0), (1, 1)):
        one = gradients(METHODS[i], stage, 0, 1)
        two = torch.load(f"{target}.{i}.{stage}")
        assert one.keys() == two.keys()
        scale = max(float(g.abs().max()) for g in one.values())
        assert scale > 0
        for name, gradient in one.items():
            assert (gradient - two[name]).abs().max() <= 1e-5 * max(scale, 1.0), name
