"""Temporary folders beside the files that are written, and those that killed processes leave."""

import fcntl
import hashlib
import itertools
import os
import shutil
from contextlib import suppress
from pathlib import Path

MARK = "inrc-is-writing"
"""A locked file of this name tells our temporary folders from those of other programs."""
ADDED_LENGTH = len("/.inrc-0123456789ab-99/new")
"""Bytes that a temporary folder adds to a path."""


def temporary_folder(target: Path) -> tuple[Path, int]:
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
