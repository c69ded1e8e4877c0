"""The law for files that are none: one line that names them, and nothing written."""

from pathlib import Path

import torch

from inrc.errors import SignalError
from inrc.signal import Modality, Signal
from inrc.testing.law import law, one_line


def check_refusals(modality: Modality, path: Path, folder: Path) -> None:
    """Check that files that are none are refused in one line that names them."""
    folder.mkdir(parents=True)
    sound = path.read_bytes()
    noise = torch.randint(0, 256, (4096,), generator=torch.Generator().manual_seed(0))
    broken = {
        "missing": None,
        "empty": b"",
        "truncated": sound[: len(sound) // 2],
        "noise": bytes(noise.tolist()),
        "text": b"This is a text and not a signal.\n" * 40,
    }
    for kind, content in broken.items():
        bad = folder / f"{kind}{path.name}"
        if content is not None:
            bad.write_bytes(content)
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
        one_line(refusal, f"the refusal of a {kind} file")
        law(bad.name in str(refusal), f"the refusal of a {kind} file names it: {refusal}")
    except Exception as error:
        raise AssertionError(f"law: a {kind} file raises SignalError, not {error!r}") from error
    else:
        law(False, f"a {kind} file is refused with a SignalError")
    law(sorted(bad.parent.rglob("*")) == before, f"reading a {kind} file writes nothing")


def _refused_write(modality: Modality, signal: Signal, bad: Path) -> None:
    try:
        modality.write(signal, bad)
    except SignalError as refusal:
        one_line(refusal, "the refusal of an unknown suffix")
    else:
        law(False, "writing a file of an unknown suffix is refused with a SignalError")
    law(not bad.exists(), "a refused write leaves no file")
