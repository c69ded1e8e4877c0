"""Decoded files: written where the user wants them, or measured beside their originals."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from inrc.codec.decoding import Opened, open_archive, reported
from inrc.container import Item
from inrc.errors import SignalError
from inrc.files import atomic_write, check_all_writable, check_writable, make_folder
from inrc.metrics import mean_measures
from inrc.model import Model
from inrc.signal import Modality, View

Report = Callable[[int, int], None]
"""Progress: (done, of)."""


def decompress(
    data: bytes,
    model: Model,
    output: Path,
    view: View | None = None,
    overwrite: bool = False,
    report: Report | None = None,
    max_memory: int | None = None,
) -> list[Path]:
    """Decode an archive to native files: `output` is a file for one item, a folder for many.

    Raises:
        ContainerError, MemoryLimitError, ModelError: as `open_archive`.
        SignalError: a view that does not fit the files, or a suffix that cannot be written.
        InrcError: a file that cannot be written, or exists and may not be overwritten; all are
            checked before the first is decoded.
    """
    opened = open_archive(data, model, max_memory)
    items = opened.archive.items
    if len(items) > 1:
        targets = [output / name for name in _native_names(items, opened.model.modality)]
        check_all_writable(targets, overwrite)
    else:
        targets = [output]
        check_output(output, opened.model.modality, overwrite)
    return _write(opened, targets, [view or View()] * len(items), overwrite, report)


def check_output(output: Path, modality: Modality, overwrite: bool) -> None:
    """Check that a decoded file can be written under this name, before any work is done.

    Raises:
        SignalError: the modality writes no files with its suffix.
        InrcError: as `check_writable`.
    """
    suffix, written = modality.ending(output.name), (*modality.suffixes, *modality.also_written)
    if suffix.lower() not in written:
        raise SignalError(f"{output}: cannot write {suffix!r}; use one of {', '.join(written)}")
    check_writable(output, overwrite)


def measure(
    paths: Sequence[Path], data: bytes, model: Model, max_memory: int | None = None
) -> dict[str, float]:
    """Mean measures of an archive's decoded files beside their originals, in the same order."""
    modality = model.modality
    views = [modality.evaluation_view(path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        opened = open_archive(data, model, max_memory)
        names = [f"{n}{modality.measurable(p)}" for n, p in enumerate(paths)]
        decoded = _write(opened, [Path(folder) / n for n in names], views)
        with reported("measuring the decoded files"):
            rows = [modality.measure(a, b) for a, b in zip(paths, decoded, strict=True)]
    return mean_measures(rows)


def _native_names(items: Sequence[Item], modality: Modality) -> list[str]:
    """Names of the decoded files: those of the items, with a suffix that can be written."""
    taken = {item.name for item in items}
    names = []
    for item in items:
        name, suffix = item.name, modality.ending(item.name)
        if suffix.lower() not in modality.suffixes:
            written = modality.suffix(item.meta)
            name = name.removesuffix(suffix) + written
            name = item.name + written if name in taken else name
            taken.add(name)
        names.append(name)
    return names


def _write(
    opened: Opened,
    targets: Sequence[Path],
    views: Sequence[View],
    overwrite: bool = False,
    report: Report | None = None,
) -> list[Path]:
    written = []
    signals = opened.signals(range(len(targets)), views)
    for number, (path, signal) in enumerate(zip(targets, signals, strict=True)):
        make_folder(path.parent)
        with atomic_write(path, overwrite) as part, reported(str(path)):
            try:
                opened.model.modality.write(signal, part)
            except SignalError as error:  # names the file that is not in its place yet
                raise SignalError(str(error).replace(str(part), str(path))) from error
        written.append(path)
        if report:
            report(number + 1, len(targets))
    return written
