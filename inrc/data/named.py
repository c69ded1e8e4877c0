"""What the DataModules of published data sets have in common."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True, eq=False)
class NamedDataSet:
    """A published data set: it has a folder, a layout and splits of its own, and no sample.

    Its DataModule names this class before that of its modality: `class Kodak(NamedDataSet,
    ImageDataModule)`. It declares `root: Path = field(kw_only=False)`, overrides `files` or
    `list_files`, and declares those options below again that have a meaning for it.
    """

    val_root: Path | None = field(default=None, init=False)
    val_fraction: float = field(default=0.2, init=False)
    sample_folder: Path = field(default=Path("runs/sample"), init=False)
    sample_count: int = field(default=1, init=False)
    seed: int = field(default=0, init=False)
