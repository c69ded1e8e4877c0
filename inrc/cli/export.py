"""The end of training: a codec that can be used, and its quality."""

import shlex
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from inrc import codec
from inrc.container import Item
from inrc.data import SignalDataModule
from inrc.errors import InrcError, SignalError
from inrc.evaluation import linear
from inrc.evaluation.pictures import picture
from inrc.files import atomic_write
from inrc.model import Model
from inrc.module import Compressor

_ABOUT = ("quality", "files", "bytes", "payload_bytes", "rate", "file_rates")
_SECONDS = ("encode_seconds", "decode_and_measure_seconds")


CODEC = "codec.safetensors"
"""Name of the model file in a run's folder."""


class Export(Callback):
    """Writes `codec.safetensors` at the end of training, and prints its quality.

    Every quality level compresses the validation files into a real archive, which is decoded and
    measured.
    """

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Export if training came to its end; a trial run does the same and writes nothing."""
        assert isinstance(pl_module, Compressor)
        if not trainer.is_global_zero:
            return
        data: SignalDataModule = trainer.datamodule  # type: ignore[attr-defined]
        if getattr(trainer, "fast_dev_run", False):
            model = exported(pl_module, data, data.val_paths[:1])
            print(table(model.card["results"], data.modality.unit))
            print("trial run: no codec was exported; repeat it without --trainer.fast_dev_run")
        elif trainer.global_step >= pl_module.schedule.total:
            export(pl_module, data, Path(trainer.default_root_dir))


def check_no_codec(folder: Path) -> None:
    """Raise InrcError if a run's folder has a codec already."""
    path = folder / CODEC
    if path.exists():
        raise InrcError(
            f"{path}: exists already, and archives may need it; move it, or choose another folder "
            "with --trainer.default_root_dir"
        )


def export(module: Compressor, data: SignalDataModule, folder: Path) -> Model:
    """Write model, table and picture to a folder; print the table and the next command.

    Raises InrcError if the folder has a codec already, or if training has diverged.
    """
    check_no_codec(folder)
    folder.mkdir(parents=True, exist_ok=True)
    place = module.device
    paths = data.val_paths
    model = exported(module, data, paths)
    path = folder / CODEC
    with atomic_write(path) as part:
        model.save(part)
    files = "1 validation file" if len(paths) == 1 else f"{len(paths)} validation files"
    print(f"\n{files} in one archive; the model itself is not counted")
    print(table(model.card["results"], data.modality.unit))
    print(f"\nmodel: {path} ({path.stat().st_size:,} bytes)")
    words = shlex.join(["inrc", "compress", str(paths[0]), "-m", str(path)])
    print(f"next:  {words} -o compressed.inrc")
    _train_baseline(data, path)
    picture(paths[0], model, model.num_qualities - 1, folder / "reconstruction.png")
    module.to(place)
    return model


def exported(module: Compressor, data: SignalDataModule, paths: list[Path]) -> Model:
    """The codec of a trained module, measured at every quality level on some files.

    Raises InrcError if a tensor is not finite, because training has diverged.
    """
    module.cpu().eval()
    if module.global_step <= module.schedule.represent:  # no bottleneck has been started
        module.calibrate()
    module.tabulate()
    model = modelled(module, data)
    module.check_finite()
    results = [measured(model, paths, number) for number in range(model.num_qualities)]
    model.card["results"] = results
    model.card["expected"] = [
        {"rate": row["file_rates"][0], "max_rate": row["file_rates"][1], "psnr": row["psnr"]}
        for row in results
    ]
    return model


def _train_baseline(data: SignalDataModule, path: Path) -> None:
    """Learn principal components from the same rows, for `inrc evaluate` to compare with."""
    file = linear.beside(path)
    file.unlink(missing_ok=True)
    assert data.train_rows is not None
    try:
        paths = data.train_paths or data.val_paths
        components = linear.learn(data.train_rows, data.modality, paths[0])
    except SignalError as error:
        print(f"no principal components to compare with: {error}")
        return
    if components is not None:
        linear.save(components, file)


def modelled(module: Compressor, data: SignalDataModule) -> Model:
    """The codec of a module whose tables are made; the module cannot be trained any further."""
    module.cpu().eval()
    for bottleneck in module.network.quality_levels:
        bottleneck.finish()
    modality = data.modality
    first = modality.split(modality.read((data.train_paths or data.val_paths)[0]))
    about: dict[str, Any] = {
        "torch": torch.__version__,
        "training": {"data": type(data).__name__, "steps": list(module.schedule.steps.values())},
    }
    default = Item("", first.meta, first.parts)
    return Model.make(module.network, module.method, modality, default, about)


def measured(model: Model, paths: list[Path], number: int) -> dict[str, Any]:
    """One row of the rate-distortion table, from a real archive of these files."""
    start = time.perf_counter()
    made = codec.compress(paths, model, number)
    middle = time.perf_counter()
    measures = codec.measure(paths, made.data, model)
    return {
        "quality": number,
        "files": len(paths),
        "bytes": len(made.data),
        "payload_bytes": made.payload,
        "rate": 8 * len(made.data) / made.observations,
        "file_rates": [fmean(made.rates), max(made.rates)],
        "encode_seconds": round(middle - start, 3),
        "decode_and_measure_seconds": round(time.perf_counter() - middle, 3),
        **measures,
    }


def table(rows: list[dict[str, Any]], unit: str) -> str:
    """Rows of `measured` as lines of text; `unit` is what rates are counted by."""
    measures = [key for key in rows[0] if key not in (*_ABOUT, *_SECONDS)]
    cells = [["quality", "bytes", "payload", "bits/unit", *measures, "seconds"]]
    for row in rows:
        seconds = sum(row[key] for key in _SECONDS)
        cells.append(
            [
                str(row["quality"]), f"{row['bytes']:,}", f"{row['payload_bytes']:,}",
                f"{row['rate']:.4g}", *(f"{row[key]:.4g}" for key in measures), f"{seconds:.1f}",
            ]
        )  # fmt: skip
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    ]
    return "\n".join([*lines, f"(unit: {unit}; psnr in dB)"])
