"""Sample files, which are drawn once and found again."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inrc.files.writing import atomic_write, make_folder


def write_samples(
    stamp: Path,
    paths: Sequence[Path],
    settings: Mapping[str, Any],
    save: Callable[[int, Path], None],
) -> list[Path]:
    """Write sample files, or leave them if they are there already.

    Args:
        stamp: file that records what the samples were drawn with.
        paths: of the samples, in the folder of the stamp.
        settings: plain values that the samples depend on; with others, all are drawn anew.
        save: writes the sample of a number to a path.
    """
    wanted = {**settings, "count": len(paths)}
    if _stamped(stamp) == wanted and all(path.is_file() for path in paths):
        return list(paths)
    make_folder(stamp.parent)
    for number, path in enumerate(paths):
        with atomic_write(path, overwrite=True) as part:  # other processes may write the same
            save(number, part)
    stamp.write_text(json.dumps(wanted))
    return list(paths)


def _stamped(stamp: Path) -> Any:
    try:
        return json.loads(stamp.read_text())
    except (OSError, ValueError):
        return None
