"""A recipe can name every DataModule and its options."""

from pathlib import Path
from typing import Any

import pytest
from era5_files import make
from jsonargparse import ArgumentParser
from test_fit_help import data_modules

from inrc.data import SignalDataModule

RECIPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "image.ImageDataModule": (
        {"root": "a", "patch": 4, "flip": True, "random_patches": 3},
        {"patch": 4, "channels": 3},
    ),
    "image.Kodak": ({"root": "a", "train_root": "b", "patch": 4}, {"patch": 4}),
    "image.CIFAR10": ({"root": "a"}, {"patch": None}),
    "image.CelebAHQ": ({"root": "a", "side": 32}, {"patch": None}),
    "image.Vimeo90k": ({"root": "a", "count": 9}, {"patch": 32}),
    "audio.AudioDataModule": ({"root": "a", "patch": 64, "rows": 3}, {"patch": 64}),
    "audio.LibriSpeech": ({"root": "a"}, {"patch": 128}),
    "video.VideoDataModule": ({"root": "a", "patch": [4, 8, 8]}, {"patch": [4, 8, 8]}),
    "video.UCF101": ({"root": "a", "random_patches": 5}, {"patch": [8, 16, 16]}),
    "mri.MRIDataModule": ({"root": "a", "spacing": None}, {"patch": 8, "spacing": None}),
    "mri.FastMRI": ({"root": "a"}, {"patch": 16, "spacing": None}),
    "nerf.NeRFDataModule": (
        {"root": "a", "background": [0, 0, 0], "rays": None, "directions": 2, "cameras": True},
        {"background": [0.0, 0.0, 0.0], "rays": None, "directions": 2, "cameras": True},
    ),
    "nerf.NerfSynthetic": ({"root": "a", "scene": "lego"}, {"near": 2.0, "samples": 64}),
    "nerf.SRNCars": ({"root": "a", "limit": 2}, {"near": 0.7, "far": 1.9}),
    "sdf.SDFDataModule": (
        {"root": "a", "field": "occupancy", "turns": 4, "seed": 3},
        {"field": "occupancy", "seed": 3},
    ),
    "sdf.VoxelDataModule": ({"root": "a", "categories": ["02691156"]}, {}),
    "era5.ERA5DataModule": ({"root": "a.nc"}, {"variables": ["t2m"]}),
    "era5.Reanalysis": ({"source": "a.nc", "steps": 1, "folder": "b"}, {"variables": ["t2m"]}),
}
"""Options of each, and what they make of its modality."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_can_name_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.nc")
    options, settings = RECIPES[name]
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SignalDataModule, "data")
    config = {"class_path": f"inrc_modalities.{name}", "init_args": options}
    data = parser.instantiate(parser.parse_object({"data": config})).data
    assert data.modality.settings().items() >= settings.items()
    assert isinstance(data.root, Path)
    assert all(getattr(data, key) == value for key, value in options.items() if key in settings)


def test_all_are_tried() -> None:
    kinds = {f"{kind.__module__.split('.')[1]}.{kind.__name__}" for kind in data_modules()}
    assert kinds == set(RECIPES)
