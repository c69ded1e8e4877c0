"""Files to signals to batches: rows in memory, and the base of every DataModule."""

from inrc.data.datamodule import SignalDataModule
from inrc.data.files import hold_out, list_files, num_held_out
from inrc.data.named import NamedDataSet
from inrc.data.options import option
from inrc.data.rows import Batch, PatchDataset, read_rows

__all__ = [
    "Batch",
    "NamedDataSet",
    "PatchDataset",
    "SignalDataModule",
    "hold_out",
    "list_files",
    "num_held_out",
    "option",
    "read_rows",
]
