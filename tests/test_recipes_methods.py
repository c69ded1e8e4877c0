"""Every method after every recipe: it trains a step and ends with a codec."""

from pathlib import Path

import pytest
from recipe_runs import METHODS, NAMES, RECIPES, arguments

from inrc.cli import main


def step(name: str, method: str, folder: Path) -> int:
    """One step of training and everything that follows it."""
    words = arguments(folder, RECIPES / name, RECIPES / "methods" / method)
    return main([*words, "--trainer.fast_dev_run=true"])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_after_images(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert step("image.yaml", method, tmp_path) == 0
    assert (tmp_path / "run" / "codec.safetensors").is_file()


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "image.yaml"])
def test_a_method_after_any_recipe(
    name: str,
    method: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = step(name, method, tmp_path)
    if (name, method) == ("nerf.yaml", "basis.yaml"):  # a closed form needs values, not pictures
        assert code == 2 and "method basis: solves" in capsys.readouterr().err
    else:
        assert code == 0
        assert (tmp_path / "run" / "codec.safetensors").is_file()
