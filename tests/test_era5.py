"""Globes: NetCDF files to signals and back, bit by bit."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from era5_files import LAT, LON, assert_stored_alike, make, smooth, there_and_back
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.testing import check_file, check_modality
from inrc_modalities.era5 import ERA5

CLIMATE = sorted((Path(__file__).parents[2] / "shared" / "data" / "climate").glob("*.nc"))


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC",
                                  "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"])  # fmt: skip
def test_the_law_is_kept(tmp_path: Path, form: str) -> None:
    path = make(tmp_path / "a.nc", form=form)
    sampled = ERA5().sample(tmp_path / "s", 0, 2)
    if form == "NETCDF4":
        check_modality(ERA5().resolve(sampled), sampled, tmp_path / "law")
    check_file(ERA5().resolve([path]), path, tmp_path / "file")


@pytest.mark.parametrize(
    "lat", [LAT, LAT[::-1], np.linspace(-87.5, 87.5, 9), LAT[2:6], np.array([60.0, 41, 11, -35])]
)
@pytest.mark.parametrize("lon", [LON, LON - 180, LON[::-1], LON[3:9], LON[3:9] - 90])
def test_any_regular_grid_comes_back(tmp_path: Path, lat: NDArray[Any], lon: NDArray[Any]) -> None:
    path = make(tmp_path / "a.nc", lat, lon)
    signal = ERA5().resolve([path]).read(path)
    assert signal.shape == (2, len(lat), len(lon))
    phi, lam = np.deg2rad(lat[1]), np.deg2rad(lon[2])
    expected = [np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)]
    assert np.allclose(signal.queries[0, len(lon) + 2], expected, atol=1e-6)
    assert_stored_alike(path, there_and_back(path), ulps=1)


@pytest.mark.parametrize("order", [("lon", "lat", "time"), ("lat", "time", "lon")])
def test_any_order_of_dimensions_comes_back(tmp_path: Path, order: tuple[str, ...]) -> None:
    path, plain = make(tmp_path / "a.nc", order=order), make(tmp_path / "b.nc")
    model = ERA5().resolve([plain])
    assert torch.equal(model.read(path).features, model.read(plain).features)
    assert_stored_alike(path, there_and_back(path), ulps=1)


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "julian", "proleptic_gregorian"])
@pytest.mark.parametrize("kind", ["f8", "f4", "i4", "i8"])
def test_calendars_come_back(tmp_path: Path, calendar: str, kind: str) -> None:
    path = make(tmp_path / "a.nc", times=5, calendar=(kind, calendar))
    back = there_and_back(path)
    assert_stored_alike(path, back, ulps=1)
    coder = xr.coders.CFDatetimeCoder(use_cftime=True)
    with xr.open_dataset(path, decode_times=coder) as one:
        with xr.open_dataset(back, decode_times=coder) as two:
            assert one.time.values.tolist() == two.time.values.tolist()
            assert two.time.values[0].calendar == one.time.values[0].calendar


def test_everything_else_in_a_file_comes_back(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("bnds", 2)
        file.createDimension("text", 3)
        file.createDimension("none", 0)
        file["time"].bounds = "time_bnds"
        file.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = [[0, 6], [6, 12]]
        file.createVariable("height", "f8", ())[...] = 2.0
        file.createVariable("expver", str, ())[...] = "0001"
        file.createVariable("names", str, ("bnds",))[:] = np.array(["é", ""], object)
        file.createVariable("code", "S1", ("text",))[:] = np.array(list("abc"), "S1")
        file.createVariable("nothing", "f4", ("none",))
        file.createVariable("big", ">i8", ("bnds",), endian="big")[:] = [2**62, -(2**62)]
        orog = file.createVariable(
            "orog", "i2", ("lat", "lon"), compression="zstd", complevel=3, fletcher32=True
        )
        orog[:] = np.arange(LAT.size * LON.size).reshape(LAT.size, LON.size)
        orog.setncatts({"list": np.array([1.5, 2.5], "f4"), "texts": ["a", "b"], "empty": ""})
    model = ERA5().resolve([path])
    assert model.variables == ["t2m"]  # orog has fewer dimensions
    assert_stored_alike(path, there_and_back(path), ulps=1)
    check_file(model, path, tmp_path / "law")


def test_levels_become_channels(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    levels = np.array([1, 2, 3, 5, 7, 10, 20, 30, 50, 70, *range(100, 991, 33)[:27]])
    values = np.stack([smooth(LAT, LON) - 2 * n for n in range(len(levels))]).astype("f4")
    data = xr.Dataset(
        {
            "t": (("level", "latitude", "longitude"), values, {"units": "K"}),
            "u": (("level", "latitude", "longitude"), values * -0.1, {"units": "m s-1"}),
        },
        {"level": levels.astype("i4"), "latitude": LAT, "longitude": LON},
    )
    data.to_netcdf(path)
    model = ERA5().resolve([path])
    assert (model.variables, model.feature_dim) == (["t", "u"], 2 * 37)
    assert model.levels == [levels.tolist()] * 2
    signal = model.read(path)
    assert signal.shape == (13, 24) and signal.parts == 1
    assert model.values(signal.shape) == 74 * model.num_units(signal.shape)
    assert torch.allclose(signal.features.amin((0, 1)), torch.zeros(74), atol=1e-6)
    assert torch.allclose(signal.features.amax((0, 1)), torch.ones(74), atol=1e-6)
    assert_stored_alike(path, there_and_back(path), ulps=1)
    apart = ERA5(levels_as_channels=False).resolve([path])
    assert (apart.feature_dim, apart.read(path).shape) == (2, (37, 13, 24))
    assert_stored_alike(path, there_and_back(path, levels_as_channels=False), ulps=1)

    other = tmp_path / "b.nc"
    data.isel(level=slice(None, None, -1)).assign_coords(level=levels[::-1] + 0.0).to_netcdf(other)
    assert torch.equal(model.read(other).features, signal.features)  # by value, not by place
    back = tmp_path / "c.nc"
    model.write(model.read(other), back)
    assert_stored_alike(other, back, ulps=1)
    data.isel(level=slice(1, None)).to_netcdf(other)
    with pytest.raises(SignalError, match=r"b\.nc: t has levels 2, 3"):
        model.read(other)


@pytest.mark.skipif(not CLIMATE, reason="needs the shared climate files")
@pytest.mark.parametrize("path", CLIMATE, ids=lambda path: path.stem[:24])
def test_real_files_come_back(tmp_path: Path, path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    back = there_and_back(copy)
    assert_stored_alike(copy, back, ulps=1)
    with xr.open_dataset(copy) as one, xr.open_dataset(back) as two:
        for name, variable in one.data_vars.items():
            rough = np.finfo("f4").eps * float(abs(variable).max())
            assert float(abs(two[name] - variable).max()) <= rough
            two[name].values = variable.values
        xr.testing.assert_identical(one, two)
        for name in one.variables:
            mine, given = ({**d[name].encoding, "source": 0} for d in (one, two))
            assert repr(sorted(mine.items())) == repr(sorted(given.items()))
