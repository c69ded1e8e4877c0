"""Output files appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inrc.errors import InrcError


def check_writable(path: Path, overwrite: bool) -> None:
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
def atomic_write(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Lend a name to write to, and move what was written there to `path` at the end.

    The lent name is that of `path` in a folder of its own beside it, so that writers may choose a
    format by suffix and may write more files beside (the pictures that a description names): all of
    them are moved. Whatever goes wrong before the end, a full disk and Ctrl-C included, the folder
    is removed and `path` is as it was.

    Raises InrcError as `refuse` does, also for further files; OSError as writing does.
    """
    check_writable(path, overwrite)
    part = path.with_name(f"{path.name}.part")
    if part.exists():
        shutil.rmtree(part)  # left by a run that was killed
    part.mkdir()
    try:
        yield part / path.name
        beside = [each for each in part.iterdir() if each.name != path.name]
        taken = [each.name for each in beside if path.with_name(each.name).exists()]
        if taken and not overwrite:
            raise InrcError(f"{path.with_name(taken[0])}: exists already; use -f to overwrite it")
        for file in part.rglob("*"):
            _sync(file)
        for each in [*beside, part / path.name]:  # the one that was asked for completes it
            old = path.with_name(each.name)
            if old.is_dir():
                shutil.rmtree(old)
            os.replace(each, old)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until the disk has a file or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
