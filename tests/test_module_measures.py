"""Means of a validation: the same on two processes with unequal batches as on one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from inrc.data import Batch, SignalDataModule
from inrc.methods import COINPP
from inrc.module import Compressor
from inrc.module.measures import Measures, own_rows, row_measures
from inrc_modalities.image import ImageDataModule

FILES, BATCH = 5, 2
"""Two processes have batches of 2 and 1 rows each; one of the rows is a repeated one."""

PROCESS = """
import json, sys
from pathlib import Path
from tests.test_module_measures import validated
print(json.dumps(validated(Path(sys.argv[1]), 2)))
"""


def data(folder: Path) -> SignalDataModule:
    return ImageDataModule(
        root=folder, patch=None, batch_size=BATCH, val_fraction=0.99, sample_count=FILES + 1
    )


def validated(folder: Path, processes: int) -> dict[str, float]:
    """Everything that a validation logs, on so many processes of which this is one."""
    L.seed_everything(0, verbose=False)
    rows = data(folder)
    rows.setup("validate")
    module = Compressor(COINPP(latent_dim=6, width=12, depth=3, bits=[2, 4]), rows.modality)
    trainer = L.Trainer(
        accelerator="cpu", devices=processes, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, inference_mode=False,
        strategy="ddp" if processes > 1 else "auto",
    )  # fmt: skip
    module._restored_step = module.schedule.represent + 1  # trained enough to have bottlenecks
    module.trainer = trainer
    trainer.datamodule = rows  # type: ignore[attr-defined]
    module.calibrate()
    (measures,) = trainer.validate(module, rows, verbose=False)
    return {name: float(value) for name, value in measures.items()}


def test_two_processes_with_unequal_batches_equal_one(tmp_path: Path) -> None:
    data(tmp_path).modality.sample(tmp_path, 0, FILES + 1)
    one = validated(tmp_path, 1)
    assert set(one) == {"val/psnr", *(f"val/{n}_q{q}" for n in ("rate", "psnr") for q in (0, 1))}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROCESS, str(tmp_path)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **ranks, "LOCAL_RANK": str(rank), "NODE_RANK": "0"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=400)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for text in said:
        two: dict[str, Any] = json.loads(text.splitlines()[-1])
        assert two == pytest.approx(one, rel=1e-5)


def test_a_repeated_row_counts_once() -> None:
    shares = {0: [0, 2, 4], 1: [1, 3, 0]}  # 5 rows on 2 processes: row 0 fills the second share
    counted = {r: own_rows(torch.tensor(rows), r, 2).tolist() for r, rows in shares.items()}
    assert counted == {0: [True] * 3, 1: [True, True, False]}


def test_means_are_over_rows_not_over_batches() -> None:
    measures = Measures(["val/psnr"])
    every = torch.ones(3, dtype=torch.bool)
    measures.update("val/psnr", torch.tensor([1.0, 2.0, 3.0]), every)
    measures.update("val/psnr", torch.tensor([10.0]), every[:1])
    assert float(measures["val/psnr"].compute()) == 4.0  # 6 is the mean of the batches' means
    assert not measures.state_dict()


def test_measures_of_rows_are_those_of_their_symbols(tmp_path: Path) -> None:
    data(tmp_path).modality.sample(tmp_path, 0, FILES + 1)
    rows = data(tmp_path)
    rows.setup("validate")
    assert rows.val_rows is not None
    module = Compressor(COINPP(latent_dim=6, width=12, depth=3, bits=[2]), rows.modality)
    network = module.network
    batch: Batch = rows.val_rows.__getitems__([0, 1, 2])
    latent = network.fit_latents(batch.queries, batch.features, batch.weights)
    level = network.quality_levels[0]
    level.calibrate(latent, torch.eye(0), batch.features.shape[1])
    level.tabulate(latent)
    measures = row_measures(network, batch, coded=True)
    symbols = level.quantize(latent)
    decoded = network.decode(level.dequantize(symbols), batch.queries)
    error = ((decoded - batch.features) ** 2).mean((1, 2))
    torch.testing.assert_close(measures["psnr_q0"], -10 * error.log10(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(measures["rate_q0"], level.bits(symbols) / batch.features.shape[1])
    assert set(row_measures(network, batch, coded=False)) == {"psnr"}
