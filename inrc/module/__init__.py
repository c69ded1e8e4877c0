"""Training: the one LightningModule, its stages, and what it measures."""

from inrc.module.compressor import Compressor

__all__ = ["Compressor"]
