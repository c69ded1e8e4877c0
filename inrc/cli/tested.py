"""`lightning test`: what a trained codec makes of the test files, from real archives."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from inrc.cli.export import measured, modelled, table
from inrc.errors import UsageError
from inrc.model import Model
from inrc.module import Compressor


class Tested(Callback):
    """Prints bytes, rate, quality and seconds of every quality level at the end of a test.

    The codec is that of `--ckpt_path`, or the run's own `codec.safetensors`. The test files are the
    data's `val_paths`, which training never sees.
    """

    def __init__(self) -> None:
        self.model: Model | None = None

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Find the codec.

        Raises UsageError if nothing was trained, or something else was.
        """
        assert isinstance(pl_module, Compressor)
        if trainer.ckpt_path is not None:
            pl_module.tabulate()
            return
        path = Path(trainer.default_root_dir) / "codec.safetensors"
        if not path.is_file():
            raise UsageError(
                f"nothing to test: no {path}; train first (lightning fit), or name a checkpoint "
                "with --ckpt_path, or the run's folder with --trainer.default_root_dir"
            )
        self.model = Model.load(path)
        for bottleneck in pl_module.network.quality_levels:
            bottleneck.finish()  # what only training needs is no part of a model
        try:
            pl_module.network.load_state_dict(self.model.network.state_dict())
        except (RuntimeError, KeyError, ValueError) as error:
            raise UsageError(f"{path}: trained with another configuration than this") from error

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compress the test files, decode and measure them."""
        assert isinstance(pl_module, Compressor)
        if not trainer.is_global_zero:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        model = self.model or modelled(pl_module, data)
        rows = [measured(model, data.val_paths, number) for number in range(model.num_qualities)]
        print(f"\n{len(data.val_paths)} test files in one archive; the model itself is not counted")
        print(table(rows, data.modality.unit))
