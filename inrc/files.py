"""Output files appear complete or not at all."""

import fcntl
import hashlib
import itertools
import os
import shutil
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from inrc.errors import InrcError

MARK = "inrc-is-writing"
"""A locked file of this name tells our temporary folders from those of other programs."""
_TEMPORARY = len("/.inrc-0123456789ab-99/new")  # what a temporary folder adds to a path


def check_writable(path: Path, overwrite: bool) -> None:
    """Check that a file can be written, before any work is done.

    Raises:
        InrcError: the file exists and `overwrite` is false, it is a folder, device or pipe, its
            folder is missing or read-only, or the file system does not allow its name.
    """
    target = _followed(path)
    _check_names([target])
    if not target.parent.is_dir():
        raise InrcError(f"{path}: its folder does not exist; create {target.parent} first")
    _check_existing(target, overwrite)
    _check_access(target.parent)


def refuse_many(paths: Sequence[Path], overwrite: bool) -> None:
    """Check that files can be written, whose folders may not exist yet, before any work is done.

    Raises:
        InrcError: as `refuse`, or two names that this file system does not tell apart.
    """
    _check_names(paths)
    folders: set[Path] = set()
    for path in paths:
        _check_existing(_followed(path), overwrite)
        folders.add(path.parent)
    for folder in {_existing(folder) for folder in folders}:
        if not folder.is_dir():
            raise InrcError(f"{folder}: is a file; name a folder to write to")
        _check_access(folder)
    _check_case(paths)


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
    target = _followed(path)
    part, lock = _temporary(target)
    lent = part / "new"
    try:
        lent.mkdir()
        yield lent / path.name
        if not overwrite:
            for each in lent.iterdir():
                if each.name != path.name:
                    _check_existing(target.with_name(each.name), overwrite, folders=True)
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


def _followed(path: Path) -> Path:
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
        if len(os.fsencode(path)) + _TEMPORARY >= path_max:
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


def _check_existing(path: Path, overwrite: bool, folders: bool = False) -> None:
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
    part, lock = _temporary(folder / "case")
    try:
        return part.with_name(part.name.upper()).exists()
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def _temporary(target: Path) -> tuple[Path, int]:
    """A new folder beside `target`, or one that a killed process left; and its open lock file."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    for number in itertools.count():
        part = target.with_name(f".inrc-{digest}-{number}")
        try:
            part.mkdir(0o700)
        except FileExistsError:
            lock = _abandoned(part)
            if lock is None:
                continue  # another writer's, or not ours
            shutil.rmtree(part / "new", ignore_errors=True)
            return part, lock
        return part, _marked(part)
    raise AssertionError("unreachable")


def _marked(part: Path) -> int:
    """Create the lock file; it gets its name once it is locked, so that nobody takes it before."""
    lock = os.open(part / "mark", os.O_RDWR | os.O_CREAT | os.O_EXCL)
    with suppress(OSError):  # without locks, a folder that is left behind is never reused
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(part / "mark", part / MARK)
    return lock


def _abandoned(part: Path) -> int | None:
    """The lock of a folder that its writer left behind; None if it is in use or not ours."""
    try:
        lock = os.open(part / MARK, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), os.stat(part / MARK)):  # not removed meanwhile
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


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
            _check_existing(target, overwrite)
    os.replace(source, target)


def _sync(path: Path) -> None:
    """Wait until the disk has a file or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
