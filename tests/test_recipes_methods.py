"""Every method after every recipe: it trains a step and ends with a codec."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from recipe_runs import METHODS, NAMES, RECIPES, arguments

from inrc import codec
from inrc.cli import main
from inrc.model import Model
from inrc.signal import View

AGAIN = """
import sys, torch
from pathlib import Path
from inrc import codec
from inrc.model import Model
from inrc.signal import View
torch.set_num_threads(int(sys.argv[3]))
model, folder = Model.load(Path(sys.argv[1])), Path(sys.argv[2])
for number in sys.argv[4:]:
    opened = codec.open_archive((folder / f"{number}.inrc").read_bytes(), model)
    assert torch.equal(opened.signal(0, View()).features, torch.load(folder / f"{number}.pt"))
"""


def step(name: str, method: str, folder: Path) -> int:
    """A step of either stage and everything that follows it."""
    words = arguments(folder, RECIPES / name, RECIPES / "methods" / method)
    return main([*words, "--model.represent=1", "--model.compress=1"])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_after_images(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert step("image.yaml", method, tmp_path) == 0
    path = tmp_path / "run" / "codec.safetensors"
    model = Model.load(path)
    file = sorted((tmp_path / "sample").glob("*.png"))[0]
    for number in (0, model.num_qualities - 1):
        made = codec.compress([file], model, number)
        (tmp_path / f"{number}.inrc").write_bytes(made.data)
        opened = codec.open_archive(made.data, model)
        torch.save(opened.signal(0, View()).features, tmp_path / f"{number}.pt")
    # another process has the encoder's own reconstruction, to the last bit
    words = [sys.executable, "-c", AGAIN, str(path), str(tmp_path), str(torch.get_num_threads())]
    subprocess.run([*words, "0", str(model.num_qualities - 1)], check=True)


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
