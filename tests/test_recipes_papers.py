"""The papers' recipes: their sizes are those that were published, and they run."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from recipe_runs import RECIPES, arguments

from inrc.cli import main
from inrc.methods import COIN, COINPP, COMBINER, Method
from inrc.methods.network import Network
from inrc.module import Compressor

PAPERS = RECIPES / "papers"
NAMES = sorted(path.stem for path in PAPERS.glob("*.yaml"))
FEW = ["functa_celebahq", "mscn_kodak", "vcinr_librispeech"]
SMALL = {
    "width": 12, "depth": 2, "latent_dim": 6, "bottleneck_hidden": 8, "hyper_width": 8,
    "embedding": 8, "fit": 4, "refine": 4, "steps": 2, "first": 3, "keep": [3], "lambdas": [1e2],
}  # fmt: skip
FEW_FIRST = [pytest.param(name, marks=() if name in FEW else pytest.mark.long) for name in NAMES]
"""A recipe takes a quarter of a minute, and most do much of the same."""
SAMPLES = {"ShapeNetVoxels": "voxels"}
"""Recipes with a sample, where they are not named like their modality."""


def read(name: str) -> dict[str, Any]:
    recipe = yaml.safe_load((PAPERS / f"{name}.yaml").read_text())
    assert isinstance(recipe, dict)
    return recipe


class Plain:
    """Asks a field at its queries."""

    def points(self, queries: torch.Tensor) -> torch.Tensor:
        return queries[:, :, None]

    def observe(self, values: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        return values[:, :, 0]


def named(path: str) -> Any:
    """A class by its full name."""
    module, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def built(name: str, point_dim: int = 2, value_dim: int = 3) -> tuple[Method, Network]:
    recipe = read(name)["model"]["method"]
    method = named(recipe["class_path"])(**recipe["init_args"])
    return method, method.build(point_dim, value_dim, Plain())


@pytest.mark.parametrize("name", NAMES)
def test_a_papers_recipe_says_what_it_is(name: str) -> None:
    text = (PAPERS / f"{name}.yaml").read_text()
    assert "arXiv:" in text.split("seed_everything")[0]
    assert read(name)["trainer"]["default_root_dir"] == f"runs/{name}"
    recipe = read(name)
    inspect.signature(named(recipe["data"]["class_path"])).bind(**recipe["data"]["init_args"])
    words = recipe["model"]
    named(words["method"]["class_path"])(**words["method"]["init_args"])
    inspect.signature(Compressor).bind(modality=None, **words)
    assert name in (Path(__file__).parent.parent / "docs" / "papers.md").read_text()


def test_sizes_are_those_that_were_published() -> None:
    _, network = built("coinpp_cifar10")
    count = sum(p.numel() for p in network.field.parameters())
    assert count == pytest.approx(3.8e6, rel=0.03)  # COIN++, app. B.1: 3.8 million, 15.5 MB
    assert 4 * count == pytest.approx(15.5e6, rel=0.01)
    method, network = built("coin_kodak")
    assert isinstance(method, COIN)
    assert network.field.latent_dim == 7479  # COIN, app. A: 10x28
    for name, weights in {"combiner_kodak": 12_675, "combiner_cifar10": 1_123}.items():
        method, network = built(name)
        assert isinstance(method, COMBINER)
        assert network.field.weight_count == weights


def test_a_published_inner_loop_is_plain() -> None:
    for name in (name for name in NAMES if name.startswith("coinpp")):
        method, network = built(name)
        assert isinstance(method, COINPP)
        rates = network.adapter.lrs
        assert not rates.requires_grad and bool((rates == 1e-2).all())
        assert not network.adapter.start.requires_grad and method.w0 == 50.0
        model = read(name)["model"]
        assert model["warmup"] == 0 and model["cosine"] is False


def shrunk(name: str, folder: Path) -> Path:
    """The recipe with small networks, on the sample of its kind of data."""
    recipe = read(name)
    kind, data = recipe["data"]["class_path"].split(".")[1:]
    sample = yaml.safe_load((RECIPES / f"{SAMPLES.get(data, kind)}.yaml").read_text())
    recipe["data"] = sample["data"]
    words = recipe["model"]["method"]["init_args"]
    words.update({key: value for key, value in SMALL.items() if key in words})
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def run(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = arguments(folder, shrunk(name, folder))
    words += ["--model.observations=32", "--model.inner_observations=16"]
    assert main([*words, "--trainer.fast_dev_run=true"]) == 0
    said = capsys.readouterr().out
    assert "psnr" in said and "trial run: no codec was exported" in said
    assert not (folder / "run").exists()


@pytest.mark.parametrize("name", FEW_FIRST)
def test_every_papers_recipe_takes_a_step(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    run(name, tmp_path, capsys)
