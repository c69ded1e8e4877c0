"""One trial: one codec, one setting, one file, in a process of its own."""

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

from inrc import codec
from inrc.evaluation import baselines
from inrc.evaluation.results import CODEC_NAME, Result, identity
from inrc.model import Model

MAX_REPEATED_SECONDS = 2.0
"""Seconds of a run above which it is not repeated for a median."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Trial:
    """A measurement.

    Attributes:
        model: path of codec.safetensors.
        file: native file.
        codec: name of a baseline, or None for the model's codec.
        setting: quality level, or the baseline's setting.
        repeats: warm runs whose median is the time.
        max_memory: bytes that the model's codec may allocate; None takes a share of what is free.
    """

    model: Path
    file: Path
    codec: str | None
    setting: float
    repeats: int = 3
    max_memory: int | None = None


def try_codec(trial: Trial) -> Result:
    """Measure one trial.

    Raises InrcError for a file that cannot be read, and every error of a codec.
    """
    torch.set_num_threads(1)
    model = _model(trial.model)
    return _ours(trial, model) if trial.codec is None else _other(trial, model)


def describe(trial: Trial, model: Model) -> Result:
    """The result of a trial without measurements.

    Raises OSError for a file that cannot be read.
    """
    modality = model.modality
    baseline = None if trial.codec is None else baselines.baseline(trial.model, model, trial.codec)
    learned = None if baseline is None else baseline.learned
    return Result(
        codec=trial.codec or f"{CODEC_NAME} {model.card['method']['name']}",
        setting=trial.setting,
        setting_unit="quality" if baseline is None else baseline.unit,
        file=str(trial.file),
        file_id=identity(trial.file),
        modality=modality.name,
        unit=modality.unit,
        model=model.id.hex() if trial.codec is None else None,
        model_bytes=model.size if trial.codec is None else None,
        device=_device(),
        versions=_versions(),
        learned=None if learned is None else _identity(learned, learned.stat().st_mtime),
    )


def _ours(trial: Trial, model: Model) -> Result:
    quality = int(trial.setting)
    limit = trial.max_memory

    def compress() -> codec.Compressed:
        return codec.compress([trial.file], model, quality, max_memory=limit)

    made, encode = _timed(compress, trial.repeats)
    view = model.modality.evaluation_view(trial.file)

    def decode() -> Path:
        return codec.decompress(made.data, model, target, view, True, max_memory=limit)[0]

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"decoded{model.modality.measurable(trial.file)}"
        decoded, seconds = _timed(decode, trial.repeats)
        measures = model.modality.measure(trial.file, decoded)
    return _filled(
        describe(trial, model), made.observations, len(made.data), measures, encode, seconds,
        made.payload,
    )  # fmt: skip


def _other(trial: Trial, model: Model) -> Result:
    assert trial.codec is not None
    modality = model.modality
    baseline = baselines.baseline(trial.model, model, trial.codec)
    data, encode = _timed(lambda: baseline.encode(trial.file, trial.setting), trial.repeats)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"decoded{modality.measurable(trial.file)}"
        _, seconds = _timed(lambda: baseline.decode(data, trial.file, target), trial.repeats)
        measures = modality.measure(trial.file, target)
    units = modality.num_units(modality.read(trial.file).shape)
    return _filled(describe(trial, model), units, len(data), measures, encode, seconds)


def _filled(
    row: Result, units: int, size: int, measures: dict[str, float], encode: float, decode: float,
    payload: int | None = None,
) -> Result:  # fmt: skip
    return replace(
        row, units=units, bytes=size, payload_bytes=payload, rate=8 * size / units,
        measures={name: float(value) for name, value in measures.items()},
        encode_seconds=encode, decode_seconds=decode,
    )  # fmt: skip


def _timed(run: Callable[[], Value], repeats: int) -> tuple[Value, float]:
    """A result, and the median seconds of warm runs, or those of a single long run."""
    start = time.perf_counter()
    result = run()
    first = time.perf_counter() - start
    if first > MAX_REPEATED_SECONDS or repeats < 1:
        return result, first
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return result, median(seconds)


@lru_cache
def _identity(path: Path, changed: float) -> str:
    return identity(path)


@lru_cache(1)
def _model(path: Path) -> Model:
    return Model.load(path)


def _device() -> str:
    return f"{platform.processor() or platform.machine()}, 1 thread"


@lru_cache(1)
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("inrc", "torch", "numpy", "pillow", "imagecodecs", "av"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
