"""A COMBINER so small that a test can train it."""

from pathlib import Path

import lightning as L
import torch

from inrc.container import Item
from inrc.data import SignalDataModule
from inrc.entropy import RelativeBottleneck
from inrc.methods import COMBINER
from inrc.model import Model
from inrc.module import Compressor

SMALL = COMBINER(
    width=6, depth=2, embedding=8, finest=8.0, betas=[1e-4, 1e-5], steps=5, first=10, fit=60,
    refine=40, limit=24,
)  # fmt: skip


def trained(data: SignalDataModule, folder: Path) -> Model:
    """As the end of `fit` makes it."""
    L.seed_everything(0, verbose=False)
    module = Compressor(SMALL, data.modality, represent=10, compress=1, warmup=1)
    last = module.network.bottleneck(1)
    assert isinstance(last, RelativeBottleneck)
    before = last.prior.mean.clone()
    L.Trainer(
        max_steps=11, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", inference_mode=False, limit_val_batches=1,
        val_check_interval=11, check_val_every_n_epoch=None, num_sanity_val_steps=0,
    ).fit(module, data)  # fmt: skip
    assert module.metric.numel() == 0  # a square of the latent's size is never needed
    assert not torch.equal(before, last.prior.mean)
    module.eval()
    module.tabulate()
    first = data.modality.split(data.modality.read(data.train_paths[0]))
    default = Item("", first.meta, first.parts)
    made = Model.make(module.network, SMALL, data.modality, default, {})
    made.save(folder / "codec.safetensors")
    return Model.load(folder / "codec.safetensors")
