"""Output files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inrc.errors import InrcError


def refuse(path: Path, overwrite: bool) -> None:
    """Say at once, before any work is done, why a file cannot be written here.

    Raises InrcError if the file exists and may not be overwritten, is a folder, or its folder is
    missing.
    """
    if path.is_dir():
        raise InrcError(f"{path}: is a folder; name a file to write")
    if not path.parent.is_dir():
        raise InrcError(f"{path.parent}: no such folder to write {path.name} to")
    if path.exists() and not overwrite:
        raise InrcError(f"{path}: exists already; use -f to overwrite it")


@contextmanager
def whole(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Lend a name beside `path` to write to, and move what was written there to `path` at the end.

    The lent name keeps all suffixes (`t2m.part.nc`), so that writers that choose a format by
    suffix can use it. Whatever goes wrong before the end, a full disk and Ctrl-C included, the
    partial file is removed and `path` is as it was.

    Raises InrcError as `refuse` does, OSError as writing does.
    """
    refuse(path, overwrite)
    suffixes = "".join(path.suffixes)
    part = path.with_name(f"{path.name.removesuffix(suffixes)}.part{suffixes}")
    try:
        yield part
        _sync(part)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until the disk has a file or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
