"""Every recipe runs and ends with a codec that can be used."""

import json
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from recipe_runs import METHODS, NAMES, RECIPES, arguments

from inrc.cli import lightning, main, recipes
from inrc.data import Batch
from inrc.module import Compressor


def test_every_installed_modality_has_a_recipe() -> None:
    entries = entry_points(group="inrc.modalities")
    ours = {each.name for each in entries if each.value.startswith("inrc_modalities.")}
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
    assert "psnr" in said and "bits/unit" in said and "litlogger" not in said
    (command,) = [line for line in said.splitlines() if line.startswith("next:")]

    # what the last line says works as it stands
    verb = command.removeprefix("next:").split()
    assert verb[0] == "inrc" and str(model) in verb
    assert main(verb[1:]) == 0
    original = Path(verb[2])
    decoded = tmp_path / f"decoded{''.join(original.suffixes)}"
    assert main(["decompress", "compressed.inrc", "-m", str(model), "-o", str(decoded)]) == 0
    assert decoded.stat().st_size > 0
    capsys.readouterr()
    assert main(["info", "compressed.inrc", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_every_recipe_is_listed_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["recipes"]
    paths = {path.relative_to(RECIPES).with_suffix("") for path in RECIPES.rglob("*.yaml")}
    assert {Path(name) for name in listed} == paths
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, (name, sentence) in zip(lines, listed.items(), strict=True):
        assert line.split(maxsplit=1) == [name, sentence]
        assert sentence.endswith(".") and 20 < len(sentence) < 98


def test_names_become_paths_and_files_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["fit", "--config", "era5", "--config=methods/basis", "--data.root", "era5"]
    resolved = recipes.resolve(words)
    assert Path(resolved[2]).read_text() == (RECIPES / "era5.yaml").read_text()
    method = Path(resolved[3].removeprefix("--config="))
    assert method.read_text() == (RECIPES / "methods" / "basis.yaml").read_text()
    assert resolved[4:] == words[4:]

    assert main(["recipes", "--copy", "."]) == 0
    assert recipes.resolve(["fit", "--config", "recipes/era5.yaml"])[2] == "recipes/era5.yaml"
    copies = {path: path.read_text() for path in Path("recipes").rglob("*.yaml")}
    assert len(copies) == len(list(RECIPES.rglob("*.yaml")))
    assert all((RECIPES.parent / path).read_text() == text for path, text in copies.items())
    assert main(["recipes", "--copy", "."]) == 1
    Path("era5").write_text("trainer: {}")
    assert recipes.resolve(["fit", "--config", "era5"])[2] == "era5"


@pytest.mark.parametrize(
    ("name", "near"),
    [("er5", "era5"), ("recipes/era5.yaml", "era5"), ("vcinr", "methods/vcinr"), ("xyzzy", None)],
)
def test_an_unknown_recipe_is_one_line_that_names_the_near_ones(
    name: str,
    near: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", name]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{name}: no such file and no such recipe" in said
    assert (f"did you mean {near}" in said) if near else ("did you mean" not in said)


@pytest.mark.parametrize("words", [["fit"], ["fit", "--help"]])
def test_fit_explains_itself(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if "--help" in words:
        with pytest.raises(SystemExit) as ended:
            lightning(words)
        assert ended.value.code == 0 and "--data" in capsys.readouterr().out
    else:
        assert lightning(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "model.method" in said


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
    assert main(words) == 130
    line = capsys.readouterr().err
    assert "interrupted at step 6 of 10: no codec was exported" in line and line.count("\n") == 1
    assert (tmp_path / "run" / "last.ckpt").is_file()
    assert not (tmp_path / "run" / "codec.safetensors").exists()
    assert main([*words, "--ckpt_path", "last"]) == 0
    assert seen == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9]
    assert (tmp_path / "run" / "codec.safetensors").is_file()
