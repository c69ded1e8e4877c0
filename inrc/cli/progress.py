"""The progress bar of training and measuring: steps done, steps that remain, seconds."""

import sys
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

from inrc.module import Compressor


class Steps(ProgressBar):
    """One bar on stderr over all steps of a run; none where stderr is no terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None
        self._enabled = True

    def disable(self) -> None:
        """Show nothing, on all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar at the steps that are done already."""
        self._open("train", trainer.max_steps, trainer.global_step)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *unused: Any
    ) -> None:
        """Show stage, step and measures."""
        assert isinstance(pl_module, Compressor)
        stage = pl_module.schedule.stage(trainer.global_step - 1)  # of the step that is done
        self._bar.set_description(stage.value, refresh=False)
        metrics = self.get_metrics(trainer, pl_module)
        self._bar.set_postfix(
            {name: value for name, value in metrics.items() if name != "v_num"}, refresh=False
        )
        self._bar.update(trainer.global_step - self._bar.n)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the bar."""
        self._bar.close()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Close the bar, so that the error gets a line of its own."""
        if self._bar is not None:
            self._bar.close()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open a bar over the batches."""
        batches = sum(int(number) for number in trainer.num_test_batches)
        self._open("test", batches, 0)

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *unused: Any
    ) -> None:
        """Count a batch."""
        self._bar.update()

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Close the bar."""
        self._bar.close()

    def _open(self, label: str, total: int, done: int) -> None:
        shown = self._enabled and sys.stderr.isatty()
        self._bar = tqdm(total=total, initial=done, desc=label, unit="step", disable=not shown)
