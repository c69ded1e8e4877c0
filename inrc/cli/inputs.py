"""The native files that a command's arguments name."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.errors import InrcError

if TYPE_CHECKING:
    from inrc.signal import Modality


def add(parser: argparse.ArgumentParser) -> None:
    """Add the files."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="files or folders")


def add_with_model(parser: argparse.ArgumentParser) -> None:
    """Add the files, and the model that they all need."""
    add(parser)
    parser.add_argument("-m", dest="model", type=Path, required=True, help="codec.safetensors")


def files_in(paths: list[Path], modality: "Modality | type[Modality]") -> list[Path]:
    """All native files: those that are named, and the signals in folders, sorted, each once."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = [file for file in walk(path) if modality.accepts(file) and file.is_file()]
        if not inside:
            raise InrcError(
                f"{path}: has no file that ends with {' '.join(modality.suffixes)}; name another"
            )
        files += inside
    unique: dict[str, Path] = {}
    for file in files:
        unique.setdefault(os.path.abspath(file), file)
    return list(unique.values())


def walk(folder: Path) -> list[Path]:
    """All files in a folder and its folders, however deep; links to folders are not followed."""
    files: list[Path] = []
    waiting = [folder]  # os.walk of Python 3.11 recurses
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                (waiting if entry.is_dir(follow_symlinks=False) else files).append(path)
    return sorted(files)
