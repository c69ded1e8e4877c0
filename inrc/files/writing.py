"""Output files appear complete or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inrc.errors import InrcError
from inrc.files.checks import check_existing, check_writable, followed
from inrc.files.temporary import temporary_folder


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, however many there are."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir()


@contextmanager
def atomic_write(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to, and move the result to `path` at the end.

    The temporary path has the name of `path` and lies in a folder of its own beside it. A writer
    may therefore choose a format by suffix, and may write more files next to it (the pictures of a
    scene); they are moved as well. If anything fails, `path` stays as it was. A symbolic link is
    followed. A folder that a killed process left is reused by the next writer of the same name;
    nothing else is ever deleted.

    Raises:
        InrcError: as `refuse`, also for the further files.
        OSError: writing failed.
    """
    check_writable(path, overwrite)
    target = followed(path)
    part, lock = temporary_folder(target)
    lent = part / "new"
    try:
        lent.mkdir()
        yield lent / path.name
        if not overwrite:
            for each in lent.iterdir():
                if each.name != path.name:
                    check_existing(target.with_name(each.name), overwrite, folders=True)
        for file in lent.rglob("*"):
            _sync(file)
        for each in sorted(lent.iterdir()):
            if each.name != path.name:
                _merge(each, target.with_name(each.name))
        _move(lent / path.name, target, overwrite)  # last: it completes the result
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)
    _sync(target.parent)


def _merge(source: Path, target: Path) -> None:
    """Move a file or a folder's files; files of other names stay where they are."""
    if not source.is_dir():
        _move(source, target, overwrite=True)
        return
    target.mkdir(exist_ok=True)
    for each in sorted(source.iterdir()):
        _merge(each, target / each.name)


def _move(source: Path, target: Path, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(source, target)  # unlike a rename, it fails if a file has appeared meanwhile
            return
        except FileExistsError:
            raise InrcError(f"{target}: exists already; use -f to overwrite it") from None
        except OSError:  # a file system without hard links
            check_existing(target, overwrite)
    os.replace(source, target)


def _sync(path: Path) -> None:
    """Wait until the disk has a file or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
