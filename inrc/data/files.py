"""The files of a folder, and which of them are kept for validation."""

from pathlib import Path

from inrc.errors import SignalError
from inrc.signal import Modality


def list_files(root: Path, modality: Modality | type[Modality]) -> list[Path]:
    """The files below a folder that a modality accepts, in order of their names, or the one file.

    Raises SignalError if there is no file.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise SignalError(f"{root}: no such file or folder; give an existing one")
    paths = sorted(p for p in root.rglob("*") if modality.accepts(p) and p.is_file())
    if not paths:
        wanted = ", ".join(modality.suffixes)
        raise SignalError(f"{root}: no {modality.name} files here; give a folder with {wanted}")
    return paths


def num_held_out(count: int, fraction: float) -> int:
    """How many of `count` files are kept for validation: at least one, and not all."""
    return min(max(round(count * fraction), 1), count - 1)


def hold_out(paths: list[Path], fraction: float) -> tuple[list[Path], list[Path]]:
    """Files to train on, and the last ones to validate on; one file alone is both."""
    first = len(paths) - num_held_out(len(paths), fraction)
    return paths[:first], paths[first:] or paths
