"""Training: the one LightningModule, its stages, and what it measures."""

from inrc.module.compressor import Compressor
from inrc.module.schedule import Stage

__all__ = ["Compressor", "Stage"]
