"""Checks of bad files: one line that names the file, and nothing written."""

from pathlib import Path

import torch

from inrc.errors import SignalError
from inrc.signal import Modality, Signal
from inrc.testing.requirements import require, require_one_line


def check_refusals(modality: Modality, path: Path, folder: Path) -> None:
    """Check that missing, empty, truncated and foreign files are refused in one line."""
    folder.mkdir(parents=True)
    content = path.read_bytes()
    noise = torch.randint(0, 256, (4096,), generator=torch.Generator().manual_seed(0))
    broken = {
        "missing": None,
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "noise": bytes(noise.tolist()),
        "text": b"This is a text and not a signal.\n" * 40,
    }
    for kind, data in broken.items():
        bad = folder / f"{kind}{path.name}"
        if data is not None:
            bad.write_bytes(data)
        _refused(modality, bad, kind)
    inside = folder / f"folder{path.name}"
    inside.mkdir()
    _refused(modality, inside, "folder")
    _refused_write(modality, modality.read(path), folder / "written.nosuchsuffix")


def _refused(modality: Modality, bad: Path, kind: str) -> None:
    before = sorted(bad.parent.rglob("*"))
    try:
        modality.read(bad)
    except SignalError as refusal:
        require_one_line(refusal, f"the refusal of a {kind} file")
        require(bad.name in str(refusal), f"the refusal of a {kind} file names it: {refusal}")
    except Exception as error:
        raise AssertionError(
            f"contract: a {kind} file raises SignalError, not {error!r}"
        ) from error
    else:
        require(False, f"a {kind} file is refused with a SignalError")
    require(sorted(bad.parent.rglob("*")) == before, f"reading a {kind} file writes nothing")


def _refused_write(modality: Modality, signal: Signal, bad: Path) -> None:
    try:
        modality.write(signal, bad)
    except SignalError as refusal:
        require_one_line(refusal, "the refusal of an unknown suffix")
    else:
        require(False, "writing a file of an unknown suffix is refused with a SignalError")
    require(not bad.exists(), "a refused write leaves no file")
