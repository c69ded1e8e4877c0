"""`inrc.compress` and `inrc.decompress`: the codec in two calls, for programs."""

import os
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
) -> bytes:
    """Compress native files into the bytes of one `.inrc` archive.

    Args:
        files: one file or several, all of the model's kind.
        model: `codec.safetensors`, or what `inrc.load` made of it.
        quality: of the model's quality levels, 0 the cheapest; None takes the middle.
        steps: of the search for the latents; None takes as many as in training.
        effort: how long the code is searched, 1 (fast) to 9 (thorough), twice as long each.

    Raises:
        SignalError: a file that cannot be read; unlike the command, nothing is left out.
        ModelError, UsageError: no such model or quality level.
    """
    names = [files] if isinstance(files, str | os.PathLike) else list(files)
    made = codec.compress(
        [Path(name) for name in names], load(model), quality, steps, effort=effort
    )
    if made.failed:
        raise SignalError(made.failed[0][1])
    return made.data


def decompress(
    data: bytes, model: Name | Model | None = None, item: int | str = 0, view: View | None = None
) -> Signal:
    """Decode one file of an archive; `signal.array()` has its values.

    Args:
        data: the bytes of a `.inrc` file.
        model: as for `compress`; None takes what the archive says itself, or looks for its model in
            the folders of INRC_MODELS.
        item: name or number of the file within the archive.
        view: another resolution, a region, or other coordinates.

    Raises:
        ContainerError, ModelError: damaged data, or another model's.
        UsageError: no such item.
        SignalError: a view that makes no sense.
    """
    found = Model.of(peek(data)) if model is None else load(model)
    opened = codec.open_archive(data, found)
    names = [each.name for each in opened.archive.items]
    if isinstance(item, str):
        if item not in names:
            raise UsageError(f"no item {item!r}; the archive holds {', '.join(names[:5])}")
        item = names.index(item)
    if not -len(names) <= item < len(names):
        raise UsageError(f"no item {item}; the archive holds {len(names)}")
    return opened.signal(item % len(names), view or View())


def load(model: Name | Model) -> Model:
    """A codec model from its file; once loaded it may be used many times.

    Raises ModelError for a file that is none.
    """
    return model if isinstance(model, Model) else Model.load(Path(model))
