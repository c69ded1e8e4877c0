"""What a person sees of a run: steps done and to do, and no advertisement."""

import re
import sys
from pathlib import Path

import pytest
import tiny_fit

from inrc import cli


def test_the_bar_counts_all_steps_and_lightning_keeps_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["fit", "--config", str(tiny_fit.recipe(tmp_path)), "--model.represent=3"]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main([*words, "--trainer.enable_progress_bar=true"]) == 0
    said = capsys.readouterr()
    bars = re.findall(r"(represent|compress): .*?(\d+)/(\d+) \[", said.err)
    assert bars[-1] == ("compress", "11", "11")
    for word in ("litlogger", "litmodels", "Tip", "FLOPs", "GPU available", "Seed set"):
        assert word not in said.out + said.err
    first, *_ = said.out.splitlines()
    assert first == "inrc fit: loading PyTorch and Lightning"


def test_without_a_terminal_there_is_no_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fit", "--config", str(tiny_fit.recipe(tmp_path))]
    assert cli.main([*words, "--trainer.enable_progress_bar=true"]) == 0
    assert capsys.readouterr().err == ""
