"""Checks of the contract of modalities, for every plugin, built-in or not.

A plugin needs one line in its tests: `check_modality(Tide(), paths, tmp_path)`.
"""

from collections.abc import Sequence
from pathlib import Path

from inrc.container import packed, plain
from inrc.signal import CONTRACT, Modality
from inrc.testing.refusals import check_refusals
from inrc.testing.requirements import check_plain, close, require, require_same
from inrc.testing.signals import Truth, check_file

__all__ = [
    "Truth",
    "check_file",
    "check_modality",
    "check_refusals",
    "check_sample",
    "check_settings",
]


def check_modality(
    modality: Modality,
    paths: Sequence[Path],
    folder: Path,
    tolerance: float = 1e-6,
    truth: Truth | None = None,
) -> None:
    """Check a modality against the contract, on files of its kind.

    Args:
        modality: the modality to check.
        paths: native files that it can read.
        folder: an empty folder for files of the checks.
        tolerance: largest change of a feature that is written to a file and read again: half of the
            quantisation step of the file format, in features.
        truth: for modalities that reconstruct files from other points than those of `split`: from a
            file, a function that answers queries #P M Q exactly, with features P M C.

    Raises AssertionError that says which rule of the contract is broken, and where.
    """
    check_settings(modality)
    check_sample(modality, folder / "sample")
    require(len(paths) > 0, "give at least one file to check")
    for i, path in enumerate(paths):
        check_file(modality, path, folder / f"file{i}", tolerance, truth)
    check_refusals(modality, paths[0], folder / "refused")


def check_settings(modality: Modality) -> None:
    """Check the attributes of a class, and that its settings make an equal modality."""
    kind = type(modality)
    require(1 <= kind.contract <= CONTRACT, f"contract is 1 to {CONTRACT}, not {kind.contract}")
    for word in (kind.name, kind.unit, *kind.suffixes):
        require(
            isinstance(word, str) and bool(word), f"name, unit and suffixes are words: {word!r}"
        )
    require(len(kind.suffixes) > 0, "at least one suffix")
    for suffix in kind.suffixes:
        require(
            suffix[0] == "." and suffix == suffix.lower(), f"suffix {suffix!r}: '.' and lower case"
        )
    settings = modality.settings()
    check_plain(settings, "settings()")
    again = kind(**settings)
    require(
        packed(plain(again.settings(), "")) == packed(plain(settings, "")), "settings() come back"
    )
    for dim in ("query_dim", "point_dim", "value_dim", "feature_dim"):
        size = getattr(modality, dim)
        require(type(size) is int and size > 0, f"{dim} is a positive int, not {size!r}")
        require(getattr(again, dim) == size, f"{dim} is the same after type(self)(**settings())")


def check_sample(modality: Modality, folder: Path) -> None:
    """Check that `sample` writes `count` readable files, the same for the same seed."""
    made = []
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        (folder / name).mkdir(parents=True)
        paths = modality.sample(folder / name, seed, 2)
        require(len(paths) == 2, f"sample(count=2) gives 2 paths, not {len(paths)}")
        for path in paths:
            require((folder / name) in path.parents, f"sample writes to its folder, not {path}")
            require(
                path.name.lower().endswith(modality.suffixes), f"{path.name}: one of the suffixes"
            )
        made.append([modality.read(path) for path in paths])
    for one, two in zip(made[0], made[1], strict=True):
        require_same(one, two, "sample of the same seed", 0.0)
    require(
        any(not close(a.features, b.features, 0.0) for a, b in zip(made[0], made[2], strict=True)),
        "sample of another seed is another",
    )
