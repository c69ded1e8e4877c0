"""`inrc fit`, `validate` and `test`: from a recipe to a codec that can be used, and its quality."""

import logging
import warnings
from argparse import ArgumentError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities.exceptions import SIGTERMException

from inrc import registry
from inrc.cli import choices, failures
from inrc.cli.checkpoints import AtomicCheckpointIO, Last, check_checkpoint
from inrc.cli.export import Export, check_no_codec
from inrc.cli.progress import Steps
from inrc.cli.tested import Tested
from inrc.cli.verbs import TRAINING
from inrc.data import SignalDataModule
from inrc.errors import InrcError, UsageError
from inrc.module import Compressor

DEFAULT_FOLDER = "runs/last"

NOISE = (  # messages of libraries to each other, which a user cannot act on
    ".*does not have many workers.*",
    "LightningCLI's args parameter is intended to run",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*smaller than the logging interval.*",
    ".*torch.jit.*",
    ".*callbacks used to create the checkpoint.*",
)


class Command(LightningCLI):
    """A verb of training. Links what the data know to the model, so that no recipe repeats it."""

    verb: ClassVar[str]

    model: Compressor
    datamodule: SignalDataModule

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the links and the checkpoint."""
        parser.link_arguments("data.modality", "model.modality", apply_on="instantiate")
        parser.link_arguments(
            ("model.represent", "model.compress", "model.joint"),
            "trainer.max_steps",
            compute_fn=lambda *stages: sum(stages),
        )
        parser.add_argument(
            "--ckpt_path",
            type=str | None,
            default=None,
            help="checkpoint to start from; `last` is last.ckpt in the run's folder",
        )

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.config.trainer.default_root_dir or DEFAULT_FOLDER)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that was named."""
        name = self.config.ckpt_path
        return self.folder / "last.ckpt" if name == "last" else name and Path(name)

    def before_instantiate_classes(self) -> None:
        """Raise InrcError for what can be known before any file is read."""
        if self.checkpoint is not None:
            check_checkpoint(self.checkpoint)

    def instantiate_classes(self) -> None:
        """Make data, model and trainer; raises InrcError for a setting or a file that is wrong."""
        with self._in_one_line(constructing=True):
            super().instantiate_classes()

    def execute(self) -> None:
        """Run the verb; raises InrcError for what a user can act on."""
        with self._in_one_line(constructing=False):
            self.run_verb()

    @contextmanager
    def _in_one_line(self, constructing: bool) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            settings = self.config.data.get("init_args", {})
            known = failures.explained(error, constructing)
            raise failures.with_advice(
                known, settings.get("root"), settings.get("skip_bad")
            ) from error

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Add the loggers and callbacks of every run."""
        config = self.config_init["trainer"]
        config["default_root_dir"] = str(self.folder)
        if config.get("logger") is None and not config.get("fast_dev_run"):
            config["logger"] = [
                TensorBoardLogger(self.folder, name="logs", default_hp_metric=False),
                CSVLogger(self.folder, name="csv"),
            ]
        callbacks = config["callbacks"] or []
        wanted = config["enable_progress_bar"] is not False
        if wanted and not any(isinstance(each, ProgressBar) for each in callbacks):
            config["callbacks"] = [*callbacks, Steps()]
        trainer = super().instantiate_trainer(**kwargs)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = AtomicCheckpointIO()
        return trainer

    def run_verb(self) -> None:
        """What the verb does."""
        raise NotImplementedError


class Fit(Command):
    """Train, and export a codec."""

    verb = "fit"

    def before_instantiate_classes(self) -> None:
        """Raise InrcError also if the run's folder has a codec already."""
        super().before_instantiate_classes()
        if not self.config.trainer.fast_dev_run:
            check_no_codec(self.folder)

    def run_verb(self) -> None:
        """Train.

        Raises InrcError or KeyboardInterrupt, each with one line, if training ends early, and
        RegistryError before it starts if no codec could be loaded after it.
        """
        registry.methods.check_installed(type(self.model.method))
        registry.modalities.check_installed(type(self.datamodule.modality))
        trainer, total = self.trainer, self.model.schedule.total
        try:
            trainer.fit(self.model, self.datamodule, ckpt_path=self.checkpoint)
        except SIGTERMException:
            raise InrcError(self._ended("terminated", total)) from None
        except SystemExit:  # what Lightning raises after Ctrl-C
            if not trainer.interrupted:
                raise
            raise KeyboardInterrupt(self._ended("interrupted", total)) from None
        if trainer.global_step < total and not self.config.trainer.fast_dev_run:
            raise InrcError(self._ended("training stopped", total))

    def _ended(self, how: str, total: int) -> str:
        step = self.trainer.global_step
        advice = "start again"
        if step:
            advice = "to go on, repeat the command with --ckpt_path last, without what stopped it"
        return f"{how} at step {step} of {total}: no codec was exported; {advice}"


class Validate(Command):
    """Measure a checkpoint on the validation files."""

    verb = "validate"

    def before_instantiate_classes(self) -> None:
        """Raise UsageError if no checkpoint is named."""
        if self.checkpoint is None:
            raise UsageError("nothing to validate: name a checkpoint with --ckpt_path")
        super().before_instantiate_classes()

    def run_verb(self) -> None:
        """Measure."""
        self.trainer.validate(self.model, self.datamodule, ckpt_path=self.checkpoint)


class Test(Command):
    """Measure a checkpoint, or the run's codec, on real archives of the test files."""

    verb = "test"

    def run_verb(self) -> None:
        """Measure."""
        self.trainer.test(self.model, self.datamodule, ckpt_path=self.checkpoint)


COMMANDS = {command.verb: command for command in (Fit, Validate, Test)}


def run(argv: list[str], program: str = "inrc") -> int:
    """Run fit, validate or test with these arguments; the verb comes first.

    Raises InrcError, in one line, for everything that a user can act on.
    """
    verb, *words = argv
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    torch.set_float32_matmul_precision("highest")  # SIRENs lose 80 dB at TF32
    words = choices.resolve(words)
    choices.import_for_help(words)
    try:
        command = COMMANDS[verb](
            Compressor,
            SignalDataModule,
            run=False,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={
                "prog": f"{program} {verb}",
                "description": TRAINING[verb],
                "exit_on_error": False,
            },
            trainer_defaults={
                "inference_mode": False,
                "check_val_every_n_epoch": None,
                "val_check_interval": 250,
                "gradient_clip_val": 1.0,
                "log_every_n_steps": 10,
                "enable_model_summary": False,
                "callbacks": [Last(), Export(), Tested()],
            },
            args=words,
        )
    except ArgumentError as error:
        raise failures.explained(error, constructing=True) from error
    command.execute()
    return 0
