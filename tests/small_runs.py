"""What tests share that need a codec: a run of a few steps, without anything that prints."""

from pathlib import Path

import lightning as L

from inrc.cli.export import export
from inrc.data import SignalDataModule
from inrc.methods import Basis
from inrc.module import Compressor
from inrc_modalities.image import ImageDataModule


def fitted(module: Compressor, data: SignalDataModule, folder: Path, val_batches: int = 0) -> Path:
    """The codec of a module after all its steps; it lies in the folder, beside what export adds."""
    trainer = L.Trainer(
        max_steps=module.schedule.total, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
        inference_mode=False, gradient_clip_val=1.0, limit_val_batches=val_batches,
    )  # fmt: skip
    L.seed_everything(0, verbose=False)
    trainer.fit(module, data)
    export(module, data, folder)
    return folder / "codec.safetensors"


def basis(data: SignalDataModule, folder: Path, weights: list[float]) -> Path:
    """A codec in closed form with 24 latents, a quality level for each weight."""
    method = Basis(24, weights, 0, num_frequencies=64, basis_size=48, field_hidden=0)
    module = Compressor(method, data.modality, represent=0, compress=2, inner_observations=None)
    return fitted(module, data, folder)


def image_run(folder: Path, weights: list[float]) -> Path:
    """A codec of four sample images, which lie in a folder beside it; the folder."""
    data = ImageDataModule(patch=16, batch_size=8, sample_folder=folder / "sample", sample_count=4)
    basis(data, folder, weights)
    return folder
