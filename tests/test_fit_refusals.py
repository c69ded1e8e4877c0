"""What a user can get wrong in a training command: one line each, and a non-zero exit code."""

import subprocess
import sys
from pathlib import Path

import pytest
import tiny_fit
from recipe_runs import NAMES

from inrc import cli, registry

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refused")
    tiny_fit.recipe(folder)
    (folder / "damaged").mkdir()
    for name in ("0.wav", "1.wav", "2.wav"):
        content = (folder / "tones" / name).read_bytes()
        (folder / "damaged" / name).write_bytes(content[: 50 if name == "1.wav" else None])
    (folder / "unknown.yaml").write_text("model: {depht: 3}\n")
    (folder / "broken.yaml").write_text("model: {{{")
    return folder


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--data.batch_size=0"], 2, "data.batch_size: 0; give 1 or more"),
        (["--data.workers=-1"], 2, "data.workers: -1; give 0 or more"),
        (["--data.val_fraction=1"], 2, "data.val_fraction: 1.0; give 0 or more, below 1"),
        (["--model.compress=0"], 2, "model.compress: 0 steps; give 1 or more"),
        (["--model.represent=-1"], 2, "model.represent: -1 steps; give 0 or more"),
        (["--model.observations=0"], 2, "model.observations: 0; give 1 or more"),
        (["--model.bottleneck_lr=-1"], 2, "model.bottleneck_lr: -1.0; give a number"),
        (["--model.method.init_args.latent_dim=0"], 2, "latent_dim of 1 or more"),
        (["--trainer.accelerator=cuda"], 2, "accelerator is not available"),
        (["--trainer.accelerator=abacus"], 2, "abacus"),
        (["--trainer.devices=x"], 2, "devices"),
        (["--trainer.max_time=soon"], 2, "DD:HH:MM:SS"),
        (["--trainer.max_steps=3"], 2, "model.represent, model.compress, model.joint"),
        (["--config=missing.yaml"], 2, "missing.yaml: no such file and no such recipe"),
        (["--config={folder}/broken.yaml"], 2, "config"),
        (["--config={folder}/unknown.yaml"], 2, "'depht'"),
        (["--model.depht=3"], 2, "--model.depht"),
        (["--data.depht=3"], 2, "'depht'"),
        (["--model.compress=many"], 2, "model.compress"),
        (["--model.method=NoSuchMethod"], 2, "NoSuchMethod"),
        (["--data=no_such_module.Data"], 2, "no_such_module"),
        (["--data.root=missing"], 1, "missing: "),
        (
            ["--data.root={folder}/damaged"],
            1,
            "damaged/1.wav: cut short, its end is missing; fetch or make it again; "
            "--data.skip_bad true leaves out",
        ),
    ],
)
def test_it_is_one_line(
    words: list[str], code: int, says: str, folder: Path, capsys: Capture
) -> None:
    given = [word.format(folder=folder) for word in words]
    assert cli.main(["fit", "--config", str(folder / "tiny.yaml"), *given]) == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("inrc: ") and says in said
    assert not list(folder.rglob("*.safetensors")) and not list(folder.rglob("*.ckpt"))


def test_bad_files_are_left_out_if_asked(folder: Path, capsys: Capture) -> None:
    words = [f"--data.root={folder / 'damaged'}", "--data.skip_bad=true"]
    words += [f"--trainer.default_root_dir={folder / 'skipped'}"]
    assert cli.lightning(["fit", "--config", str(folder / "tiny.yaml"), *words]) == 0
    said = capsys.readouterr()
    skipped = [line for line in said.err.splitlines() if line.startswith("skipped")]
    reason = "cut short, its end is missing; fetch or make it again"
    assert skipped == [f"skipped {folder}/damaged/1.wav: {reason}"]
    assert "1 validation file in" in said.out


@pytest.mark.parametrize("recipe", [path.removesuffix(".yaml") for path in NAMES])
@pytest.mark.parametrize("root", ["missing", "empty", "damaged"])
def test_every_data_module_says_in_one_line_what_is_wrong_with_a_folder(
    recipe: str, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "damaged").mkdir()
    kind = registry.modalities.find(recipe)
    bad = tmp_path / "damaged" / f"transforms{kind.suffixes[0]}"
    bad.write_bytes(b"not what the suffix says")
    words = [f"--data.root={root}", "--trainer.accelerator=cpu", "--trainer.default_root_dir=run"]
    assert cli.main(["fit", "--config", recipe, *words]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith(f"inrc: {root}")
    assert ("skip_bad" in said) == (root == "damaged")


@pytest.mark.parametrize("verb", ["validate", "test"])
def test_without_a_checkpoint_there_is_nothing_to_measure(
    verb: str, folder: Path, capsys: Capture
) -> None:
    words = [f"--trainer.default_root_dir={folder / 'empty'}"]
    assert cli.lightning([verb, "--config", str(folder / "tiny.yaml"), *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--ckpt_path" in said


FIRST = """
import sys, builtins
from inrc.cli import lightning
def stop(text, **options):
    sys.stdout.write(text)
    sys.exit(bool({"torch", "numpy", "lightning"} & set(sys.modules)))
builtins.print = stop
lightning(sys.argv[1:])
"""


@pytest.mark.parametrize("words", [["fit", "--help"], ["fit", "--config=era5"], ["test"]])
def test_the_first_line_appears_before_anything_heavy_is_imported(words: list[str]) -> None:
    command = [sys.executable, "-c", FIRST, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"lightning {words[0]}: loading PyTorch and Lightning"
