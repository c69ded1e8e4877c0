"""`lightning test`: rate and quality of a trained codec on archives of the test files."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from inrc.cli.export import CODEC, measured, modelled, table
from inrc.errors import ContainerError, UsageError
from inrc.model import Model
from inrc.module import Compressor


class Tested(Callback):
    """Prints bytes, rate, quality and seconds of every quality level at the end of a test.

    The codec comes from `--ckpt_path`, or else from `codec.safetensors` in the run's folder. The
    test files are the data's `val_paths`, which training never uses.
    """

    def __init__(self) -> None:
        self.model: Model | None = None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Load the codec.

        Raises UsageError if no codec was trained, or if its configuration differs.
        """
        assert isinstance(pl_module, Compressor)
        if trainer.ckpt_path is not None:
            if pl_module.steps_done <= pl_module.schedule.represent:
                raise UsageError(
                    f"{trainer.ckpt_path}: stopped at step {pl_module.steps_done} of "
                    f"{pl_module.schedule.total}, before there is a codec; "
                    "continue with lightning fit"
                )
            pl_module.tabulate()
            return
        path = Path(trainer.default_root_dir) / CODEC
        if not path.is_file():
            raise UsageError(
                f"{path}: no codec to test; train first (lightning fit), or name a checkpoint "
                "with --ckpt_path, or the run's folder with --trainer.default_root_dir"
            )
        self.model = Model.load(path)
        for bottleneck in pl_module.network.quality_levels:
            bottleneck.finish()  # a model file does not hold what only training needs
        try:
            pl_module.network.load_state_dict(self.model.network.state_dict())
        except (ContainerError, RuntimeError, KeyError, ValueError) as error:
            raise UsageError(
                f"{path}: trained with another configuration; use the recipe of its training"
            ) from error

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compress the test files, decode and measure them."""
        assert isinstance(pl_module, Compressor)
        if not trainer.is_global_zero:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        model = self.model or modelled(pl_module, data)
        rows = [measured(model, data.val_paths, number) for number in range(model.num_qualities)]
        count = len(data.val_paths)
        files = "1 test file" if count == 1 else f"{count} test files"
        print(f"\n{files} in one archive; the model itself is not counted")
        print(table(rows, data.modality.unit))
