"""Every recipe runs and ends with a codec that can be used."""

import json
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from recipe_runs import METHODS, NAMES, RECIPES, arguments

from inrc.cli import lightning, main
from inrc.data import Batch
from inrc.module import Compressor


def test_every_installed_modality_has_a_recipe() -> None:
    found = entry_points(group="inrc.modalities")
    ours = {each.name for each in found if each.value.startswith("inrc_modalities.")}
    assert {name.removesuffix(".yaml") for name in NAMES} <= ours
    assert {"basis.yaml", "coinpp.yaml", "vcinr.yaml"} <= set(METHODS)


@pytest.mark.parametrize(
    ("name", "program"),
    [*((name, main) for name in NAMES), ("image.yaml", lightning)],
    ids=[*NAMES, "image.yaml by lightning"],
)
def test_a_recipe_ends_with_a_codec_that_can_be_used(
    name: str,
    program: Callable[[list[str]], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        *arguments(tmp_path, RECIPES / name),
        "--model.represent=4",
        "--model.compress=3",
        "--trainer.log_every_n_steps=2",
    ]
    assert program(words) == 0
    said = capsys.readouterr().out
    folder = tmp_path / "run"
    model = folder / "codec.safetensors"
    assert {"codec.safetensors", "reconstruction.png", "last.ckpt"} <= {
        path.name for path in folder.iterdir()
    }
    assert list(folder.rglob("events.out.tfevents.*")) and list(folder.rglob("metrics.csv"))
    assert "psnr" in said and "bits/unit" in said
    (command,) = [line for line in said.splitlines() if line.startswith("next:")]

    # what the last line says works as it stands
    verb = command.removeprefix("next:").split()
    assert verb[0] == "inrc" and str(model) in verb
    assert main(verb[1:]) == 0
    original = Path(verb[2])
    decoded = tmp_path / f"decoded{original.suffix}"
    assert main(["decompress", "compressed.inrc", "-m", str(model), "-o", str(decoded)]) == 0
    assert decoded.stat().st_size > 0
    capsys.readouterr()
    assert main(["info", "compressed.inrc", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", [["fit"], ["fit", "--help"]])
def test_fit_explains_itself(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        lightning(words)
    said = capsys.readouterr()
    assert ended.value.code == (0 if "--help" in words else 2)
    assert "--data" in said.out + said.err or "model" in said.err


def test_what_ctrl_c_stopped_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*arguments(tmp_path, RECIPES / "image.yaml"), "--model.represent=4"]
    words += ["--model.compress=6", "--trainer.log_every_n_steps=1", "--data.init_args.shift=0"]
    seen: list[int] = []
    step = Compressor.on_train_batch_start

    def pressed(self: Compressor, batch: Batch, batch_idx: int) -> None:
        seen.append(self.global_step)
        if seen[-1] == 6 and seen.count(6) == 1:
            raise KeyboardInterrupt
        step(self, batch, batch_idx)

    monkeypatch.setattr(Compressor, "on_train_batch_start", pressed)
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    assert (tmp_path / "run" / "last.ckpt").is_file()
    assert not (tmp_path / "run" / "codec.safetensors").exists()
    assert main([*words, "--ckpt_path", "last"]) == 0
    assert seen == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9]
    assert (tmp_path / "run" / "codec.safetensors").is_file()
