"""Other grids to decode on."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from era5_files import LAT, LON, make, smooth
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import ERA5


def decode(path: Path, view: View, written: Path) -> xr.Dataset:
    """A field that answers `smooth` wherever it is asked."""
    model = ERA5().resolve([path])
    signal = model.read(path)
    assert model.ranges is not None
    (low, high) = model.ranges[0]
    plan = model.plan_queries(signal.meta, view)
    slopes = torch.tensor([5.0, 3.0, -20.0], dtype=torch.float64)
    values = 280.0 + plan.queries.double() @ slopes + torch.arange(len(plan.parts))[:, None]
    features = ((values - low) / (high - low)).float()[..., None]
    model.write(model.join(features, signal.meta, view), written)
    assert model.read(written).meta == model.join(features, signal.meta, view).meta
    return xr.open_dataset(written)


@pytest.mark.parametrize(
    ("view", "lats", "lons"),
    [
        (View(scale=2.0), np.linspace(90, -90, 26), np.arange(48) * 7.5),
        (View(scale=0.5), np.linspace(90, -90, 6), np.arange(12) * 30.0),
        (View(region=(("lat", 30, 60),)), [45, 30], LON),
        (View(region=(("lat", 60, 90),)), [90, 75, 60], LON),
        (View(region=(("lon", 30, 60),)), LAT, [30, 45]),
        (View(region=(("lon", -30, 30),)), LAT, [-30, -15, 0, 15]),
        (View(region=(("lon", 330, 30),)), LAT, [330, 345, 360, 375]),
        (View(region=(("lon", 0, 360), ("lat", -15, 15))), [0, -15], LON),
        (
            View(scale=2.0, region=(("lat", 0, 12), ("lon", 352, 8))),
            [10.8, 3.6],
            [352.5, 360, 367.5],
        ),
    ],
)
def test_views_are_decoded_where_they_say(tmp_path: Path, view: View, lats: Any, lons: Any) -> None:
    path = make(tmp_path / "a.nc", chunk=np.int32(1))
    with decode(path, view, tmp_path / "b.nc") as seen:
        assert np.allclose(seen.lat, lats) and np.allclose(seen.lon, lons)
        for time in range(2):
            assert np.allclose(seen.t2m[time], smooth(seen.lat.values, seen.lon.values, time))
        assert seen.lat.attrs == {"units": "degrees_north"}


@pytest.mark.parametrize("lat", [LAT, LAT[::-1]])
@pytest.mark.parametrize("lon", [LON - 180, LON[::-1].copy()])
def test_regions_follow_the_grid(tmp_path: Path, lat: NDArray[Any], lon: NDArray[Any]) -> None:
    path = make(tmp_path / "a.nc", lat, lon)
    view = View(region=(("lon", 170, 200), ("lat", -40, 20)))
    with decode(path, view, tmp_path / "b.nc") as seen:
        assert sorted(seen.lon.values) == [180, 195]
        assert (seen.lon[1] > seen.lon[0]) == (lon[1] > lon[0])
        assert (seen.lat[1] > seen.lat[0]) == (lat[1] > lat[0])
        assert np.allclose(seen.t2m[0], smooth(seen.lat.values, seen.lon.values))


def test_regridding_to_another_file(tmp_path: Path) -> None:
    lat, lon = np.linspace(-66.25, 71, 7).astype("f4"), np.arange(-170, 180, 20.0)
    path, other = make(tmp_path / "a.nc"), make(tmp_path / "o.nc", lat, lon)
    with decode(path, View(at=other), tmp_path / "b.nc") as seen:
        assert np.array_equal(seen.lat, lat) and np.array_equal(seen.lon, lon)
        assert np.allclose(seen.t2m[1], smooth(lat, lon, 1))
    part = make(tmp_path / "p.nc", LAT[4:9], LON[4:9])
    with pytest.raises(SignalError, match=r"o\.nc: latitudes -66.25 to 71 reach beyond"):
        decode(part, View(at=other), tmp_path / "c.nc")
    wide = make(tmp_path / "w.nc", LAT[4:9], LON)
    with pytest.raises(SignalError, match=r"w\.nc: longitudes 0 to 345 reach beyond"):
        decode(part, View(at=wide), tmp_path / "c.nc")


def test_masks_bounds_and_others_follow_a_view(tmp_path: Path) -> None:
    land = (np.abs(LAT)[:, None] < 30) & (LON[None] >= 180)
    path = make(tmp_path / "a.nc", missing=land, _FillValue=np.float32(-1))
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("bnds", 2)
        file.createVariable("lat_bnds", "f8", ("lat", "bnds"))[:] = LAT[:, None] + [7.5, -7.5]
        file["lat"].bounds = "lat_bnds"
        file.createVariable("row", "i2", ("lat",))[:] = np.arange(13)
    with decode(path, View(scale=2.0), tmp_path / "b.nc") as seen:
        gone = seen.t2m.isnull().values[0]
        inside = (np.abs(seen.lat.values)[:, None] < 22) & (seen.lon.values[None] >= 180)
        outside = (np.abs(seen.lat.values)[:, None] > 23) | (seen.lon.values[None] < 172)
        assert gone[inside & (seen.lon.values < 350)[None]].all() and not gone[outside].any()
        assert "lat_bnds" not in seen and "bounds" not in seen.lat.attrs
        assert seen.row.values[[0, -1]].tolist() == [0, 12]
    with decode(path, View(region=(("lat", 0, 40),)), tmp_path / "c.nc") as seen:
        assert seen.lat_bnds.values.tolist() == [[37.5, 22.5], [22.5, 7.5], [7.5, -7.5]]
        assert seen.row.values.tolist() == [4, 5, 6] and seen.lat.attrs["bounds"] == "lat_bnds"


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (View(region=(("time", 0, 1),)), "axis 'time'"),
        (View(region=(("lat", 0, 1), ("lat", 0, 2))), "repeated axis"),
        (View(region=(("lat", 1, 2),)), "no point between 1 and 2"),
        (View(region=(("lat", float("nan"), 2),)), "region lat"),
        (View(region=(("lon", 5, 5),)), "no point between 5 and 5"),
        (View(region=(("lon", 0, float("inf")),)), "not finite"),
        (View(scale=-1.0), "above 0"),
        (View(scale=1e9), "too many"),
        (View(scale=2.0, at=Path("x.nc")), "not both"),
        (View(at=Path("missing.nc")), "missing.nc: no such file"),
    ],
)
def test_views_that_make_no_sense(tmp_path: Path, view: View, said: str) -> None:
    path = make(tmp_path / "a.nc")
    model = ERA5().resolve([path])
    with pytest.raises(SignalError, match=said):
        model.plan_queries(model.read(path).meta, view)
