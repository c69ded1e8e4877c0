"""Files to signals to batches: rows in memory, and the base of every DataModule."""

from inrc.data.datamodule import SignalDataModule
from inrc.data.rows import Batch, PatchDataset, read_rows

__all__ = ["Batch", "PatchDataset", "SignalDataModule", "read_rows"]
