"""A modality and a method of another author: installed, listed, trained, used, removed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inrc import cli

SOURCE = Path(__file__).parent / "plugin"
MODEL = Path("runs/gamma/codec.safetensors")
ORIGINAL = Path("runs/sample/gamma/spectrum036.spe")
"""One of those that are kept for validation."""

Run = Callable[..., subprocess.CompletedProcess[str]]

USE = """
import json, sys
from pathlib import Path
from inrc.cli import main
from inrc.testing import check_modality
from inrc_gamma.spectrum import Gamma
model, original = sys.argv[1:]
use = ["-m", model]
assert main(["modalities", "--json"]) == 0
assert main(["compress", original, *use, "-o", "a.inrc", "-q", "1", "--json"]) == 0
assert main(["verify", "a.inrc", *use, "--json"]) == 0
assert main(["decompress", "a.inrc", *use, "-o", "a.spe"]) == 0
assert main(["decompress", "a.inrc", *use, "-o", "coarse.spe", "--scale", "0.5"]) == 0
assert main(["decompress", "a.inrc", *use, "-o", "cut.spe", "--region", "kev=0:9"]) == 1
measured = Gamma().measure(Path(original), Path("a.spe"))
Path("measured.json").write_text(json.dumps(measured))
check_modality(Gamma(5), [Path(original)], Path("law"))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, beside which the plugin is installed by pip, without any network."""
    folder = tmp_path_factory.mktemp("stranger")
    shutil.copytree(SOURCE, folder / "source")  # a build leaves files beside its sources
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    words = [*pip, *offline, "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(words, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Run:
    """Python in that folder, where the plugin is installed."""
    path = [str(place / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )

    return python


def fit(place: Path, run: Run, *more: str) -> subprocess.CompletedProcess[str]:
    """Train by the plugin's own recipe, with fewer steps and observations."""
    words = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    few = ["--model.observations=128", "--model.inner_observations=64"]
    steps = ["--model.represent=100", "--model.compress=20"]
    recipe = str(place / "source" / "recipe.yaml")
    return run("-m", "inrc.cli", "fit", "--config", recipe, *words, *few, *steps, *more)


@pytest.fixture(scope="module")
def trained(place: Path, run: Run) -> Path:
    """The model that its own recipe makes."""
    done = fit(place, run)
    assert done.returncode == 0, done.stderr
    assert "next:  inrc compress" in done.stdout
    return place / MODEL


@pytest.fixture(scope="module")
def used(place: Path, run: Run, trained: Path) -> list[str]:
    """Results of all verbs, in a process that has only the model and a file."""
    done = run("-c", USE, str(trained), str(ORIGINAL))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "inrc: gamma: cannot decode a region or given points; use --scale\n"
    return done.stdout.splitlines()


def test_it_is_listed(used: list[str]) -> None:
    rows = {row["name"]: row for row in json.loads(used[0])["modalities"]}
    assert rows["gamma"] == {
        "name": "gamma",
        "suffixes": [".spe"],
        "unit": "channel",
        "class": "inrc_gamma.spectrum:Gamma",
        "distribution": "inrc-gamma",
        "version": "0.3.0",
    }
    assert rows["image"]["distribution"] == "inrc"


def test_what_it_compresses_comes_back(place: Path, used: list[str]) -> None:
    summary, sound = json.loads(used[1]), json.loads(used[2])
    assert summary["bytes"] == (place / "a.inrc").stat().st_size == sound["bytes"]
    assert summary["unit"] == "bits/channel" and sound["decoded"]
    measured = json.loads((place / "measured.json").read_text())
    assert measured == pytest.approx(summary["measures"])
    assert measured["psnr"] > baseline(place) + 1.0
    original, decoded = text(place / ORIGINAL), text(place / "a.spe")
    assert decoded != original
    assert around(decoded) == around(original)  # letter by letter
    assert 20 * (place / "a.inrc").stat().st_size < len(original)


def test_a_channel_twice_as_wide_counts_twice_as_much(place: Path, used: list[str]) -> None:
    """The decoder integrates the field over other channels: what is counted in all stays."""
    fine, coarse = counts(place / "a.spe"), counts(place / "coarse.spe")
    assert (len(fine), len(coarse)) == (512, 256)
    assert sum(coarse) == pytest.approx(sum(fine), rel=0.05)
    assert not (place / "cut.spe").exists()


@pytest.mark.usefixtures("used")
def test_info_needs_neither_the_plugin_nor_torch(place: Path) -> None:
    code = (
        "import sys; from inrc.cli import main; code = main(['info', sys.argv[1]]); "
        "sys.exit(code or 'torch' in sys.modules or 'inrc_gamma' in sys.modules)"
    )
    words = [sys.executable, "-c", code, str(place / "a.inrc")]
    assert "1 item" in subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("used")
def test_without_it_its_files_are_refused_in_one_line(
    place: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(place / "a.inrc"), "-m", str(trained), "-o", str(place / "no.spe")]
    assert cli.main(["decompress", *words]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert "unknown modality 'gamma'; choose one of: " in said.err
    assert not (place / "no.spe").exists()


@pytest.fixture(scope="module")
def film(place: Path, run: Run, trained: Path) -> Path:
    """A model of the plugin's own method, which is named on the command line."""
    assert trained.exists()  # and with it the sample
    words = ["--model.method=film", "--model.method.gain=0.3"]
    done = fit(place, run, *words, "--trainer.default_root_dir=runs/film")
    assert done.returncode == 0, done.stderr
    return place / "runs" / "film" / "codec.safetensors"


def test_its_method_is_listed(run: Run) -> None:
    done = run("-m", "inrc.cli", "methods", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["methods"]}
    assert rows["film"] == {
        "name": "film",
        "trained": True,
        "purpose": "FiLM (arXiv:1709.07871): the latent scales and shifts every sine layer.",
        "class": "inrc_gamma.film:Film",
        "distribution": "inrc-gamma",
        "version": "0.3.0",
    }
    assert rows["coin"]["distribution"] == "inrc" and not rows["coin"]["trained"]
    explained = run("-m", "inrc.cli", "fit", "--model.method.help", "film")
    assert "scale of the map from the latent" in explained.stdout, explained.stderr


def test_a_model_of_its_method_is_loaded_by_name(place: Path, run: Run, film: Path) -> None:
    use = ["-m", str(film)]
    words = [str(ORIGINAL), *use, "-o", "film.inrc", "-q", "1", "--json"]
    done = run("-m", "inrc.cli", "compress", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["measures"]["psnr"]
    assert found > baseline(place) + 1.0
    done = run("-m", "inrc.cli", "decompress", "film.inrc", *use, "-o", "film.spe")
    assert done.returncode == 0, done.stderr
    assert around(text(place / "film.spe")) == around(text(place / ORIGINAL))


def test_a_model_whose_method_is_not_installed_is_refused_in_one_line(
    place: Path, run: Run, film: Path
) -> None:
    declared = place / "site" / "inrc_gamma-0.3.0.dist-info" / "entry_points.txt"
    content = declared.read_text()
    declared.write_text(content.replace("film = ", "other = "))
    try:
        words = [str(ORIGINAL), "-m", str(film), "-o", "no.inrc"]
        done = run("-m", "inrc.cli", "compress", *words)
        named = run("-m", "inrc.cli", "methods")
        training = fit(
            place, run, "--model.method=inrc_gamma.film.Film",
            "--trainer.default_root_dir=runs/no",
        )  # fmt: skip
    finally:
        declared.write_text(content)
    known = "unknown method 'film'; choose one of: basis, coin, "
    assert (done.returncode, done.stdout) == (1, "") and not (place / "no.inrc").exists()
    assert done.stderr.startswith(f"inrc: {film}: {known}") and done.stderr.count("\n") == 1
    reason = "inrc: warning: method 'other' (inrc_gamma.film:Film of inrc-gamma 0.3.0) cannot be"
    assert named.returncode == 0 and named.stderr.startswith(reason)
    assert "coinpp" in named.stdout and "its name is 'film'" in named.stderr
    assert training.returncode == 1 and "film.Film: is not installed as 'film'" in training.stderr


def text(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


def around(spectrum: str) -> tuple[str, str]:
    """What stands before and after the counts."""
    head, _, rest = spectrum.partition("$DATA:")
    return head, rest[rest.index("$") :]


def counts(path: Path) -> list[int]:
    """Read without the plugin: the lines of the section but its first, the range."""
    section = text(path).partition("$DATA:\r\n")[2].partition("$")[0]
    return [int(line) for line in section.split("\r\n")[1:-1]]


def baseline(place: Path) -> float:
    """PSNR of a decoder that knows the training files and gets no byte: it gives their mean."""
    import numpy as np

    files = sorted((place / ORIGINAL).parent.iterdir())
    roots = np.sqrt([counts(path) for path in files])
    mean, own = roots[:32].mean(0), roots[files.index(place / ORIGINAL)]
    return float(10 * np.log10(own.max() ** 2 / np.mean((own - mean) ** 2)))
