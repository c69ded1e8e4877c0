"""`last.ckpt`: saved during training and when it stops, never half-written."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException

from inrc.errors import InrcError, one_line
from inrc.files import atomic_write

INTERVAL = 250
"""Steps between two checkpoints."""


class Last(ModelCheckpoint):
    """Keeps `last.ckpt` in the run's folder, from which `--ckpt_path last` continues."""

    def __init__(self) -> None:
        super().__init__(
            save_last=True, save_top_k=0, every_n_train_steps=INTERVAL, enable_version_counter=False
        )

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Use the run's folder."""
        self.dirpath = trainer.default_root_dir
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save the last step, whichever limit ended training."""
        self._save(trainer)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Save the last step when a user or a batch system stops the run.

        After any other failure, the state may be unusable, and the checkpoint before stays.
        """
        if isinstance(exception, KeyboardInterrupt | SIGTERMException):
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        trial = bool(getattr(trainer, "fast_dev_run", False)) or trainer.sanity_checking
        if trainer.global_step > 0 and not trial:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces a checkpoint in one step, on whichever file system temporary files are.

    Lightning writes to the folder for temporary files and copies from there. A run that is killed
    while it copies leaves no usable checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint beside the one before, and then replace that."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, overwrite=True) as part:
            torch.save(checkpoint, part)


def check_checkpoint(path: Path) -> None:
    """Raise InrcError if a checkpoint is missing or cannot be read."""
    if not path.is_file():
        raise InrcError(f"{path}: no such checkpoint; train first, without --ckpt_path")
    try:
        torch.load(path, map_location="meta", weights_only=True, mmap=True)
    except Exception as error:  # pickles fail in every way
        raise InrcError(f"{path}: damaged, or no checkpoint ({one_line(error)[:80]})") from error
