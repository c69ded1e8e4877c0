"""The native files that a command's arguments name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inrc.errors import InrcError

if TYPE_CHECKING:
    from inrc.signal import Modality


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
    return list({os.path.abspath(file): file for file in reversed(files)}.values())[::-1]


def walk(folder: Path) -> list[Path]:
    """All files in a folder and its folders, however deep; links to folders are not followed."""
    return sorted(Path(root) / name for root, _, names in os.walk(folder) for name in names)
