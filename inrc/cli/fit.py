"""`inrc fit`: train from a recipe, and end with a codec that can be used."""

import time
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from inrc import codec
from inrc.container import Item
from inrc.data import SignalDataModule
from inrc.errors import SignalError
from inrc.evaluation import linear
from inrc.evaluation.pictures import picture
from inrc.files import whole
from inrc.model import Model
from inrc.module import Compressor

_ABOUT = ("rung", "files", "bytes", "payload_bytes", "rate")
_SECONDS = ("encode_seconds", "decode_and_measure_seconds")


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


class Export(Callback):
    """Writes `codec.safetensors` at the end of training, and says what it is worth.

    Every rung compresses the validation files into a real archive, which is decoded and measured.
    """

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Only if training came to its end: an interrupted one can be resumed."""
        assert isinstance(pl_module, Compressor)
        tried = bool(getattr(trainer, "fast_dev_run", False))  # set by a function of another file
        done = tried or trainer.global_step >= sum(pl_module.stages)
        if not done or not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        export(pl_module, trainer.datamodule, folder)  # type: ignore[attr-defined]


def export(module: Compressor, data: SignalDataModule, folder: Path) -> Model:
    """Write model, table and picture to a folder; prints the table and the next command."""
    place = module.device
    module.cpu().eval()
    if not any(rung.tables for rung in module.network.rungs):
        module.calibrate()
    module.tabulate()
    for rung in module.network.rungs:
        rung.finish()
    modality = data.modality
    paths = data.val_paths
    first = modality.split(modality.read((data.train_paths or paths)[0]))
    about: dict[str, Any] = {
        "torch": torch.__version__,
        "training": {"data": type(data).__name__, "steps": list(module.stages)},
    }
    default = Item("", first.meta, first.parts)
    model = Model.make(module.network, module.method, modality, default, about)
    rows = [measured(model, paths, number) for number in range(model.rungs)]
    model.card["results"] = rows
    path = folder / "codec.safetensors"
    with whole(path, overwrite=True) as part:
        model.save(part)
    _print(rows, modality.unit, path, paths)
    _rival(data, path)
    picture(paths[0], model, model.rungs - 1, folder / "reconstruction.png")
    module.to(place)
    return model


def _rival(data: SignalDataModule, path: Path) -> None:
    """Learn PCA from the same rows, for `inrc evaluate` to compare with."""
    file = linear.beside(path)
    file.unlink(missing_ok=True)
    assert data.train_rows is not None
    try:
        paths = data.train_paths or data.val_paths
        found = linear.learn(data.train_rows, data.modality, paths[0])
    except SignalError as error:
        print(f"no PCA to compare with: {error}")
        return
    if found is not None:
        linear.save(found, file)


def measured(model: Model, paths: list[Path], number: int) -> dict[str, Any]:
    """One row of the rate-distortion table, from a real archive of these files."""
    start = time.perf_counter()
    made = codec.compress(paths, model, number)
    middle = time.perf_counter()
    measures = codec.measure(paths, made.data, model)
    return {
        "rung": number,
        "files": len(paths),
        "bytes": len(made.data),
        "payload_bytes": made.payload,
        "rate": 8 * len(made.data) / made.observations,
        "encode_seconds": round(middle - start, 3),
        "decode_and_measure_seconds": round(time.perf_counter() - middle, 3),
        **measures,
    }


def _print(rows: list[dict[str, Any]], unit: str, path: Path, paths: list[Path]) -> None:
    measures = [key for key in rows[0] if key not in (*_ABOUT, *_SECONDS)]
    table = [["rung", "bytes", "payload", "bits/unit", *measures, "seconds"]]
    for row in rows:
        seconds = sum(row[key] for key in _SECONDS)
        table.append(
            [
                str(row["rung"]), f"{row['bytes']:,}", f"{row['payload_bytes']:,}",
                f"{row['rate']:.4g}", *(f"{row[key]:.4g}" for key in measures), f"{seconds:.1f}",
            ]
        )  # fmt: skip
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    print(f"\n{len(paths)} validation files in one archive; the model itself is not counted")
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print(f"(unit: {unit}; psnr in dB)\n\nmodel: {path} ({path.stat().st_size:,} bytes)")
    print(f"next:  inrc compress {paths[0]} -m {path} -o compressed.inrc")


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
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
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
            "callbacks": [Last(), Export()],
        },
        args=argv,
    )
    return 0
