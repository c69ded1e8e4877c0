"""Compressed fields open in xarray: at once, with values only when they are asked for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from inrc import codec
from inrc.codec import Opened
from inrc.container import Item
from inrc.errors import ModelError, SignalError
from inrc.methods import COINPP
from inrc.model import Model
from inrc_modalities.era5 import ERA5, ERA5DataModule


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Path]]:
    """An archive of two files, its model, and the files."""
    folder = tmp_path_factory.mktemp("xarray")
    data = ERA5DataModule(sample_folder=folder / "sample", sample_count=3)
    data.setup("fit")
    modality, paths = data.modality, data.train_paths[:2]
    assert isinstance(modality, ERA5)
    torch.manual_seed(0)
    method = COINPP(latent_dim=4, width=8, depth=2, bits=[4])
    network = method.build(modality.point_dim, modality.value_dim, modality).eval()
    rows = data.train_rows
    assert rows is not None
    network.bottleneck(0).tabulate(network.fit_latents(rows.queries, rows.features, rows.weights))
    network.bottleneck(0).finish()
    first = modality.split(modality.read(paths[0]))
    model = Model.make(network, method, modality, Item("", first.meta, first.parts), {})
    model.save(folder / "models.safetensors")
    archive = folder / "two.inrc"
    archive.write_bytes(codec.compress(paths, model, 0).data)
    return archive, folder / "models.safetensors", paths


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the items whose fields were evaluated."""
    seen: list[int] = []
    real = Opened.signal

    def signal(self: Opened, number: int, view: Any) -> Any:
        seen.append(number)
        return real(self, number, view)

    monkeypatch.setattr(Opened, "signal", signal)
    return seen


def test_values_are_decoded_once_and_only_when_asked(
    made: tuple[Path, Path, list[Path]], decoded: list[int]
) -> None:
    archive, model, paths = made
    with xr.open_dataset(archive, engine="inrc", model=model, item=paths[1].name) as opened:
        name = next(iter(opened.data_vars))
        assert opened[name].shape and opened[name].attrs is not None
        assert str(opened) and opened[name].isel({opened[name].dims[-1]: 0}).shape
        assert decoded == []
        corner = opened[name].isel({dim: 0 for dim in opened[name].dims}).values
        assert decoded == [1] and np.isfinite(corner)
        assert opened[name].values.size > 1 and opened.load()
        assert decoded == [1]


def test_it_is_what_decompressing_writes(
    made: tuple[Path, Path, list[Path]], tmp_path: Path
) -> None:
    archive, model, paths = made
    codec.decompress(archive.read_bytes(), Model.load(model), tmp_path)
    for path in paths:
        with (
            xr.open_dataset(archive, engine="inrc", model=model, item=path.name) as opened,
            xr.open_dataset(tmp_path / path.name) as written,
            xr.open_dataset(path) as original,
        ):
            xr.testing.assert_identical(opened.load(), written.load())
            assert set(opened.data_vars) == set(original.data_vars)
            for name in original.coords:
                assert opened.coords[name].equals(original.coords[name])
                assert opened.coords[name].attrs == original.coords[name].attrs
            for name in original.data_vars:
                assert opened[name].attrs == original[name].attrs
                assert opened[name].dims == original[name].dims


def test_several_items_need_a_name(made: tuple[Path, Path, list[Path]]) -> None:
    archive, model, paths = made
    for item in (None, "other.nc"):
        with pytest.raises(SignalError, match=r"item=") as raised:
            xr.open_dataset(archive, engine="inrc", model=model, item=item)
        assert all(path.name in str(raised.value) for path in paths)


def test_a_model_that_is_missing_is_named(
    made: tuple[Path, Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, model, paths = made
    monkeypatch.setenv("INRC_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match=Model.load(model).id.hex()):
        xr.open_dataset(archive, engine="inrc", item=paths[0].name)
    monkeypatch.setenv("INRC_MODELS", str(model.parent))
    with xr.open_dataset(archive, engine="inrc", item=paths[0].name) as dataset:
        assert dataset.data_vars


def test_variables_can_be_left_out(made: tuple[Path, Path, list[Path]], decoded: list[int]) -> None:
    archive, model, paths = made
    with xr.open_dataset(archive, engine="inrc", model=model, item=paths[0].name) as whole:
        name = str(next(iter(whole.data_vars)))
        rest = set(whole.variables) - {name}
    for dropped in (name, [name, "no such variable"]):
        with xr.open_dataset(
            archive, engine="inrc", model=model, item=paths[0].name, drop_variables=dropped
        ) as opened:
            assert set(opened.variables) == rest
    assert decoded == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SignalError, match=r"missing\.inrc"):
        xr.open_dataset(tmp_path / "missing.inrc", engine="inrc")


def test_other_files_open_without_torch(made: tuple[Path, Path, list[Path]]) -> None:
    code = (
        "import sys, xarray; xarray.open_dataset(sys.argv[1]).close();"
        "assert 'inrc' in xarray.backends.list_engines();"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(made[2][0])], check=True)
