"""`inrc fit`: train from a recipe, and end with a codec that can be used."""

import warnings
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from inrc.cli.export import Export
from inrc.cli.tested import Tested
from inrc.data import SignalDataModule
from inrc.module import Compressor


class Last(ModelCheckpoint):
    """Keeps `last.ckpt` in the run's folder, so that `--ckpt_path last` goes on from there."""

    def __init__(self, every: int = 250) -> None:
        super().__init__(
            save_last=True, save_top_k=0, every_n_train_steps=every, enable_version_counter=False
        )

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Keep what was learned until Ctrl-C, too."""
        tried = bool(getattr(trainer, "fast_dev_run", False)) or trainer.sanity_checking
        if isinstance(exception, KeyboardInterrupt) and trainer.global_step > 0 and not tried:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Find the run's folder."""
        self.dirpath = trainer.default_root_dir
        super().setup(trainer, pl_module, stage)


class CLI(LightningCLI):
    """Links what the data know to the model, so that no recipe repeats a number."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The links."""
        parser.link_arguments("data.modality", "model.modality", apply_on="instantiate")
        parser.link_arguments(
            ("model.represent", "model.compress", "model.joint"),
            "trainer.max_steps",
            compute_fn=lambda *stages: sum(stages),
        )

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Loggers and callbacks of every run, in the run's folder."""
        config = self.config_init[self.subcommand]["trainer"]
        root = config.get("default_root_dir") or "runs/last"
        config["default_root_dir"] = str(root)
        if config.get("logger") is None and not config.get("fast_dev_run"):
            config["logger"] = [
                TensorBoardLogger(root, name="logs", default_hp_metric=False),
                CSVLogger(root, name="csv"),
            ]
        trainer = super().instantiate_trainer(**kwargs)
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Last):  # `--ckpt_path last` looks there before any set-up
                callback.dirpath = trainer.default_root_dir
        return trainer


def run(argv: list[str]) -> int:
    """Run fit, validate, test or predict with these arguments; the verb comes first."""
    for noise in (  # of Lightning about itself, none of which a user can do anything about
        ".*does not have many workers.*",
        "LightningCLI's args parameter is intended to run",
        ".*isinstance\\(treespec, LeafSpec\\).*",
        ".*smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=noise)
    torch.set_float32_matmul_precision("highest")  # SIRENs lose 80 dB at TF32
    CLI(
        Compressor,
        SignalDataModule,
        subclass_mode_data=True,
        save_config_kwargs={"overwrite": True},
        trainer_defaults={
            "inference_mode": False,
            "check_val_every_n_epoch": None,
            "val_check_interval": 250,
            "gradient_clip_val": 1.0,
            "log_every_n_steps": 10,
            "callbacks": [Last(), Export(), Tested()],
        },
        args=argv,
    )
    return 0
