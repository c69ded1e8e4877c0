"""`inrc.compress` and `inrc.decompress`: the codec in two calls, for programs."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from inrc import codec
from inrc.container import peek
from inrc.errors import SignalError, UsageError
from inrc.model import Model
from inrc.signal import Signal, View

Name: TypeAlias = str | os.PathLike[str]


def compress(
    files: Name | Sequence[Name],
    model: Name | Model,
    quality: int | None = None,
    steps: int | None = None,
    effort: int = 5,
    max_memory: int | None = None,
) -> bytes:
    """Compress native files into the bytes of one `.inrc` archive.

    Args:
        files: one file or several, all of the model's kind.
        model: the path of a `codec.safetensors`, or a model that `inrc.load` returned.
        quality: quality level of the model, 0 the lowest; None takes the middle one.
        steps: of the search for the latents; None takes as many as in training.
        effort: time to search, 1 (fast) to 9 (thorough), twice as much for each level.
        max_memory: bytes that may be allocated; None takes three quarters of what is free.

    Warns:
        UserWarning: the files are unlike the training data, or a fit did not converge.

    Raises:
        SignalError: a file cannot be read (unlike the command, nothing is left out), or the archive
            would be larger than a lossless coding of the values.
        MemoryLimitError: a file takes more memory than the limit.
        ModelError, UsageError: no such model or quality level.
    """
    names = [files] if isinstance(files, str | os.PathLike) else list(files)
    codec_model = load(model)
    made = codec.compress(
        [Path(name) for name in names], codec_model, quality, steps, None, effort, max_memory, True
    )
    if made.failed:
        raise SignalError(made.failed[0][1])
    for line in made.warnings + codec.check_growth(made, codec_model):
        warnings.warn(line, stacklevel=2)
    return made.data


def decompress(
    data: bytes,
    model: Name | Model | None = None,
    item: int | str = 0,
    view: View | None = None,
    max_memory: int | None = None,
) -> Signal:
    """Decode one file of an archive; `signal.array()` has its values.

    Args:
        data: the bytes of a `.inrc` file.
        model: as for `compress`; None uses the archive's own description, or looks for its model
            in the folders of INRC_MODELS.
        item: name or number of the file within the archive.
        view: another resolution, a region, or other coordinates.
        max_memory: bytes that may be allocated; None takes three quarters of what is free.

    Raises:
        ContainerError: corrupt data.
        ModelError: no model, or not the one that the data need.
        MemoryLimitError: the file takes more memory than the limit.
        UsageError: no such item.
        SignalError: a view that does not fit the file.
    """
    codec_model = Model.of(peek(data, 0), max_memory) if model is None else load(model)
    opened = codec.open_archive(data, codec_model, max_memory)
    names = [each.name for each in opened.archive.items]
    if isinstance(item, str):
        if item not in names:
            raise UsageError(f"no item {item!r}; the archive holds {', '.join(names[:5])}")
        item = names.index(item)
    if not -len(names) <= item < len(names):
        raise UsageError(f"no item {item}; the archive holds {len(names)}")
    return opened.signal(item % len(names), view or View())


def load(model: Name | Model) -> Model:
    """A codec model from its file; it may be used many times.

    Raises:
        ModelError: the file is missing or not a model.
    """
    return model if isinstance(model, Model) else Model.load(Path(model))
