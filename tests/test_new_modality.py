"""The skeleton of a plugin: written anywhere, for any name, and working as it is written."""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from inrc import cli
from inrc.cli import new_modality
from inrc.data import SignalDataModule

ROOT = Path(__file__).parent.parent
LONG = "sea_surface_height_anomaly_daily"
PIP = [
    *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
    *("--no-index", "--no-deps", "--no-build-isolation"),
]


def python(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with what is installed in `site`."""
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_its_own_tests_as_written(tmp_path: Path) -> None:
    folder, site = tmp_path / "mine", tmp_path / "site"
    assert cli.main(["new-modality", "sea_level", "-o", str(folder)]) == 0
    copy = shutil.copytree(folder, tmp_path / "built")  # a build leaves files beside its sources
    subprocess.run([*PIP, "--target", str(site), str(copy)], check=True, capture_output=True)
    listed = python(site, tmp_path, "-m", "inrc.cli", "modalities").stdout
    assert (
        "\nsea_level .npy  bits per sample  (inrc_sea_level.modality:SeaLevel of inrc-sea-"
        in listed
    )
    tested = python(site, folder, "-m", "pytest", "-p", "no:cacheprovider")
    assert tested.returncode == 0, tested.stdout
    assert "11 passed" in tested.stdout and "warning" not in tested.stdout


@pytest.mark.parametrize("name", ["x", "tide", LONG])
def test_names_are_put_everywhere(name: str, tmp_path: Path) -> None:
    words = new_modality.names(name)
    texts = new_modality.render(words)
    assert len(name) <= new_modality.MAX_NAME_LENGTH == len(LONG)
    project = tomllib.loads(texts["pyproject.toml"])
    assert project["project"]["name"] == f"inrc-{name.replace('_', '-')}"
    [(entry, target)] = project["project"]["entry-points"]["inrc.modalities"].items()
    module, kind = target.split(":")
    assert entry == name and f"src/{module.replace('.', '/')}.py" in texts
    assert f"class {kind}(Modality)" in texts[f"src/inrc_{name}/modality.py"]
    assert f"src/inrc_{name}/__init__.py" in texts and f"tests/test_{name}.py" in texts
    for path, text in texts.items():
        assert "NAME" not in path and "$" not in text, path


@pytest.mark.parametrize("name", ["x", "tide", LONG])
def test_what_is_written_is_clean(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    assert cli.main(["new-modality", name, "-o", str(folder)]) == 0
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "."], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "name",
    [
        *("", "Tide", "2tide", "sea-level", "sea level", "_tide", "tide_", "sea__level", "tíde"),
        *("../x", "$name", "tide\n", f"{LONG}s"),
        *("none", "path", "signal", "modality", "exception"),
    ],
)
def test_what_can_be_no_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new-modality", name]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and repr(name) in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["image"], "modality 'image' is installed already"),
        (["modalities"], "package inrc_modalities exists already"),
        (["tide", "-o", "full"], "full: exists already; name a new folder with -o"),
        (["tide", "-o", "file"], "file: exists already"),
        (["tide", "-o", "dangling"], "dangling: exists already"),
        (["tide", "-o", "no/such"], "no/such: its folder does not exist; create no first"),
        (["tide", "-o", "."], ".: exists already"),
    ],
)
def test_what_is_there_stays_as_it_is(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.py").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["new-modality", *words]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith(f"inrc: {says}")
    assert sorted(tmp_path.rglob("*")) == before


def test_it_says_what_it_wrote_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new-modality", "tide"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    written = sorted(str(path) for path in Path("inrc-tide").rglob("*") if path.is_file())
    assert sorted(lines) == [str(Path(path)) for path in written]
    assert last == "next:  cd inrc-tide && pip install -e . && python -m pytest"
    assert cli.main(["new-modality", "tide", "-o", "my plugin", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["folder"]) == ("tide", "my plugin")
    assert [f"inrc-tide/{path}" for path in facts["files"]] == lines


def test_writing_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from inrc.cli import main; code = main(['new-modality', 'tide']); "
        "sys.exit(code or bool({'torch', 'numpy', 'lightning'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_an_ordinary_installation_has_the_templates(tmp_path: Path) -> None:
    """Not only an editable one, which finds them beside the sources."""
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for file in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    for folder in ("inrc", "modalities", "recipes"):
        shutil.copytree(ROOT / folder, source / folder)
    subprocess.run([*PIP, "--target", str(site), str(source)], check=True, capture_output=True)
    code = "import inrc, sys; from inrc.cli import main; print(inrc.__file__); sys.exit(main())"
    done = python(site, tmp_path, "-c", code, "new-modality", "tide")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(site)
    texts = new_modality.render(new_modality.names("tide"))
    for path, text in texts.items():
        assert (tmp_path / "inrc-tide" / path).read_text(encoding="utf-8") == text


def edited(folder: Path, guide: str) -> None:
    """Do to a skeleton what the guide says in its text and its two blocks of Python."""
    method, end = blocks(guide, "python")
    for setting in ("low", "high"):
        assert f"`{setting}: float = {'-' * (setting == 'low')}8.0`" in guide
    for name in ("modality.py", "data.py"):
        path = folder / "src" / "inrc_tide" / name
        code = path.read_text().replace("low: float = -1.0", "low: float = -8.0")
        code = code.replace("high: float = 1.0", "high: float = 8.0")
        assert code.count("8.0") == 2
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.FunctionDef) and node.name == "sample":
                lines = code.splitlines(keepends=True)
                code = "".join([*lines[: node.lineno - 1], method, *lines[node.end_lineno :]])
                code += f"\n\n{end}"
        path.write_text(code)


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def guide() -> str:
    """The part of CONTRIBUTING.md that walks through a plugin."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text[text.index("## A modality in") : text.index("Mind these")]


def test_the_guide_is_followed_word_by_word(
    guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, *_ = blocks(guide, "bash")
    assert cli.main(first.splitlines()[0].split()[1:]) == 0
    assert [capsys.readouterr().out] == blocks(guide, "text")
    folder = tmp_path / "inrc-tide"
    [toml] = re.findall(r"^  ```toml\n(.*?)^  ```", guide, re.MULTILINE | re.DOTALL)
    for line in toml.splitlines():
        assert line.strip() in (folder / "pyproject.toml").read_text()
    for path in re.findall(r"^- `(.*?)`:", guide, re.MULTILINE):
        assert (folder / path).is_file()
    edited(folder, guide)
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        subprocess.run([sys.executable, "-m", "ruff", *check, "."], cwd=folder, check=True)
    # training is what the skeleton's own test does
    words = ["-m", "pytest", "-p", "no:cacheprovider", "-k", "not recipe"]
    done = python(folder / "src", folder, *words)
    assert done.returncode == 0 and "10 passed" in done.stdout, done.stdout


def test_the_guides_commands_are_commands(guide: str) -> None:
    verbs = {verb.NAME: verb for verb in cli.VERBS}
    lines = "".join(blocks(guide, "bash")).splitlines()
    seen = [line.split() for line in lines if line.startswith("inrc ")]
    for _, name, *words in seen:
        if name in cli.TRAINING:
            assert words == ["--config", "recipe.yaml"]
            continue
        parser = argparse.ArgumentParser()
        verbs[name].add(parser)
        parser.parse_args(words)
    assert {name for _, name, *_ in seen} >= {"new-modality", "fit", "compress", "decompress"}


def test_the_readme_speaks_of_settings_that_exist() -> None:
    texts = new_modality.render(new_modality.names("tide"))
    shared = [each.name for each in fields(SignalDataModule)]
    code = texts["src/inrc_tide/data.py"]
    for setting in re.findall(r"--data\.(\w+)", texts["README.md"]):
        assert setting in shared or f"{setting}:" in code
