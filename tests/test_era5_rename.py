"""`inrc compress --rename` and `Model.renamed`: the file keeps its own names and units."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
from era5_files import LAT, LON, make, smooth

from inrc import cli
from inrc.errors import UsageError
from inrc.methods import COIN, COINPP
from inrc.model import Model
from inrc_modalities.audio import Audio
from inrc_modalities.era5 import ERA5


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A codec of t2m in kelvin."""
    folder = tmp_path_factory.mktemp("rename")
    modality = ERA5().resolve([make(folder / "train.nc")])
    rows = modality.read(folder / "train.nc")
    torch.manual_seed(0)
    method = COINPP(latent_dim=4, width=8, depth=2, bits=[4])
    network = method.build(modality.point_dim, modality.value_dim, modality).eval()
    bottleneck = network.bottleneck(0)
    bottleneck.tabulate(network.fit_latents(rows.queries, rows.features, rows.weights))
    bottleneck.finish()
    item = Model.untrained(COIN(), modality).default
    Model.make(network, method, modality, item, {}).save(folder / "codec.safetensors")
    return folder / "codec.safetensors"


def fahrenheit(path: Path) -> Path:
    """The fields of `make` in degrees Fahrenheit, called tas."""
    make(path)
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("t2m", "tas")
        file["tas"].units = "degF"
        kelvins = np.stack([smooth(LAT, LON, time) for time in range(2)])
        file["tas"][:] = (kelvins - 273.15) * 9 / 5 + 32
    return path


def test_the_command_renames(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, archive = fahrenheit(tmp_path / "a.nc"), tmp_path / "a.inrc"
    compress = ["compress", str(path), "-m", str(trained), "-o", str(archive)]
    assert cli.main([*compress, "--quiet"]) == 1
    refusal = capsys.readouterr().err
    assert "has tas; the model needs t2m" in refusal and "--rename NAME=t2m" in refusal
    assert not archive.exists()
    assert cli.main([*compress, "--rename", "tas=t2m"]) == 0
    assert "PSNR" in capsys.readouterr().out  # measured beside the file, under its names
    back, same = tmp_path / "back.nc", tmp_path / "same.nc"
    assert cli.main(["decompress", str(archive), "-m", str(trained), "-o", str(back)]) == 0
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        assert list(one.variables) == list(two.variables) and two["tas"].units == "degF"
        decoded = two["tas"][:]
    # the same fields under the model's own name and unit decode to the same values
    kelvins = ["compress", str(make(tmp_path / "k.nc")), "-m", str(trained), "-o"]
    assert cli.main([*kelvins, str(tmp_path / "k.inrc"), "--quiet"]) == 0
    arguments = [str(tmp_path / "k.inrc"), "-m", str(trained), "-o", str(same)]
    assert cli.main(["decompress", *arguments]) == 0
    with netCDF4.Dataset(same) as file:
        assert np.allclose((file["t2m"][:] - 273.15) * 9 / 5 + 32, decoded, atol=0.01)


@pytest.mark.parametrize(
    ("pairs", "said", "code"),
    [
        (["tas"], "--rename tas: give NAME=MODEL_NAME", 2),
        (["=t2m"], "--rename =t2m: give NAME=MODEL_NAME", 2),
        (["tas=t2m", "tas=t2m"], "give each name once", 2),
        (["tas=TS"], "cannot rename tas to TS; the model has t2m", 1),
    ],
)
def test_names_that_make_no_sense_are_refused(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    pairs: list[str],
    said: str,
    code: int,
) -> None:
    path = fahrenheit(tmp_path / "a.nc")
    options = [word for pair in pairs for word in ("--rename", pair)]
    assert cli.main(["compress", str(path), "-m", str(trained), *options]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.inrc").exists()


def test_other_data_have_no_names() -> None:
    model = Model.untrained(COIN(), Audio())
    with pytest.raises(UsageError, match="rename: audio files do not have named variables"):
        model.renamed({"left": "right"})
