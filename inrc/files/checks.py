"""Whether files can be written, checked before any work is done."""

import os
import shutil
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from inrc.errors import InrcError
from inrc.files.temporary import ADDED_LENGTH, temporary_folder


def check_writable(path: Path, overwrite: bool) -> None:
    """Check that a file can be written, before any work is done.

    Raises:
        InrcError: the file exists and `overwrite` is false, it is a folder, device or pipe, its
            folder is missing or read-only, or the file system does not allow its name.
    """
    target = followed(path)
    _check_names([target])
    if not target.parent.is_dir():
        raise InrcError(f"{path}: its folder does not exist; create {target.parent} first")
    check_existing(target, overwrite)
    _check_access(target.parent)


def check_all_writable(paths: Sequence[Path], overwrite: bool) -> None:
    """Check that files can be written, whose folders may not exist yet, before any work is done.

    Raises:
        InrcError: as `refuse`, or two names that this file system does not tell apart.
    """
    _check_names(paths)
    folders: set[Path] = set()
    for path in paths:
        check_existing(followed(path), overwrite)
        folders.add(path.parent)
    for folder in {_existing(folder) for folder in folders}:
        if not folder.is_dir():
            raise InrcError(f"{folder}: is a file; name a folder to write to")
        _check_access(folder)
    _check_case(paths)


def followed(path: Path) -> Path:
    """The file that a symbolic link stands for, whether it exists or not."""
    return Path(os.path.realpath(path)) if _encodable(path) and os.path.islink(path) else path


def _encodable(path: Path) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _check_names(paths: Sequence[Path]) -> None:
    for path in paths:
        if not _encodable(path):
            raise InrcError(f"{str(path)!r}: is not a valid file name here; choose another")
    limits: dict[Path, tuple[int, int]] = {}
    for path in paths:
        # the last existing folder decides for those that are to be created in it
        if path.parent not in limits:
            folder = _existing(path.parent)
            limits[path.parent] = (
                os.pathconf(folder, "PC_NAME_MAX"), os.pathconf(folder, "PC_PATH_MAX"),
            )  # fmt: skip
        name_max, path_max = limits[path.parent]
        for name in path.parts:
            if len(os.fsencode(name)) > name_max:
                raise InrcError(
                    f"{name:.60}...: a name of {len(os.fsencode(name))} bytes, and the file system "
                    f"allows {name_max}; choose a shorter one"
                )
        if len(os.fsencode(path)) + ADDED_LENGTH >= path_max:
            raise InrcError(
                f"{path!s:.60}...: a path of {len(os.fsencode(path))} bytes is too long to "
                "write to; choose another folder"
            )


def _existing(folder: Path) -> Path:
    """The folder itself or its nearest parent that exists."""
    while True:
        try:
            folder.lstat()
            return folder
        except OSError as error:
            if folder == folder.parent or isinstance(error, PermissionError):
                raise
            folder = folder.parent


def check_existing(path: Path, overwrite: bool, folders: bool = False) -> None:
    """Raise InrcError if something is at the path that must not be replaced."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode) and not folders:
        raise InrcError(f"{path}: is a folder; name a file to write")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InrcError(f"{path}: is a device or a pipe; name a file to write")
    if not overwrite:
        raise InrcError(f"{path}: exists already; use -f to overwrite it")


def _check_access(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InrcError(f"{folder}: cannot be written to; choose another folder")


def _check_case(paths: Sequence[Path]) -> None:
    """Refuse names that differ in case or accents only, where the file system ignores these."""
    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(unicodedata.normalize("NFC", str(path)).casefold(), path)
        if other is not path and _folds(_existing(path.parent)):
            raise InrcError(
                f"{path}: the file system does not tell it from {other.name}; choose another folder"
            )


def _folds(folder: Path) -> bool:
    """Whether a folder's file system takes a and A for the same name."""
    part, lock = temporary_folder(folder / "case")
    try:
        return part.with_name(part.name.upper()).exists()
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)
