"""What tests share that need a codec: a run of a few steps, without anything that prints."""

from pathlib import Path

import lightning as L

from inrc.cli.export import export
from inrc.data import SignalDataModule
from inrc.methods import Basis
from inrc.module import Compressor


def fitted(module: Compressor, data: SignalDataModule, folder: Path, val_batches: int = 0) -> Path:
    """The codec of a module after all its steps; it lies in the folder, beside what export adds."""
    trainer = L.Trainer(
        max_steps=sum(module.stages), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
        inference_mode=False, gradient_clip_val=1.0, limit_val_batches=val_batches,
    )  # fmt: skip
    L.seed_everything(0, verbose=False)
    trainer.fit(module, data)
    export(module, data, folder)
    return folder / "codec.safetensors"


def basis(data: SignalDataModule, folder: Path, weights: list[float]) -> Path:
    """A codec in closed form with 24 latents, a quality level for each weight."""
    method = Basis(
        latent_dim=24,
        num_frequencies=64,
        basis_size=48,
        field_hidden=0,
        bottleneck_hidden=0,
        lambdas=weights,
    )
    module = Compressor(method, data.modality, represent=0, compress=2, inner_observations=None)
    return fitted(module, data, folder)
