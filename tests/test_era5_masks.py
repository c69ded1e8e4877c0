"""Missing values, packing, and what weighs how much."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_files import LAT, LON, assert_stored_alike, make, smooth, there_and_back

from inrc.container import packed
from inrc.testing import check_file
from inrc_modalities.era5 import ERA5
from inrc_modalities.era5.values import Packing


@pytest.mark.parametrize(
    ("kind", "attrs"),
    [
        ("i2", {"scale_factor": 0.002, "add_offset": 285.0, "_FillValue": np.int16(-32768)}),
        ("i2", {"scale_factor": np.float32(0.01), "add_offset": np.float32(280),
                "missing_value": np.int16(-999), "_FillValue": np.int16(-999)}),
        ("u1", {"scale_factor": 0.25, "add_offset": 250.0, "_FillValue": np.uint8(255)}),
        ("i1", {"scale_factor": 0.25, "add_offset": 270.0, "_FillValue": np.int8(-128)}),
        ("i4", {"_FillValue": np.int32(-1)}),
        ("f4", {"_FillValue": np.float32("nan")}),
        ("f4", {"_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)}),
        ("f8", {"_FillValue": np.float64(-9.99e8)}),
    ],
)  # fmt: skip
def test_packing_and_missing_values_come_back(
    tmp_path: Path, kind: str, attrs: dict[str, Any]
) -> None:
    sea = (smooth(LAT, LON) < 268) | (LON[None] == 0)
    path = make(tmp_path / "a.nc", kind=kind, missing=sea, **attrs)
    signal = ERA5().resolve([path]).read(path)
    assert signal.weights is not None and signal.weights.shape == (1, sea.size)
    assert np.array_equal(signal.weights[0] == 0, sea.reshape(-1))
    assert 0 <= signal.features.min() and signal.features.max() <= 1
    assert len(packed(signal.meta["variables"]["t2m"]["mask"])) < 130
    back = there_and_back(path)
    assert_stored_alike(path, back, ulps=1)
    with xr.open_dataset(path) as one, xr.open_dataset(back) as two:
        xr.testing.assert_allclose(one, two, rtol=2e-7)
        assert int(two.t2m.isnull().sum()) == 2 * sea.sum()
        assert one.t2m.encoding["dtype"] == two.t2m.encoding["dtype"]
    check_file(ERA5().resolve([path]), path, tmp_path / "law")


def test_masks_may_change_and_mix_kinds(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc", _FillValue=np.float32(-9999.0), times=3)
    strange = np.frombuffer(np.uint32(0x7FC0BEEF).tobytes(), "f4")[0]  # a NaN with a message
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        for time, value in enumerate((np.nan, -9999.0, strange)):
            file["t2m"][time, time : time + 3, 4:7] = value
        other = file.createVariable("d2m", "f4", ("time", "lat", "lon"), fill_value=np.nan)
        other.units = "K"
        values = np.stack([smooth(LAT, LON, t) for t in range(3)])
        values[0, 1, 5] = values[1, 1, 5] = np.nan
        other[:] = values
    model = ERA5().resolve([path])
    signal = model.read(path)
    known = signal.weights.reshape(3, 13, 24) > 0  # both are missing at one point only
    assert (~known).nonzero().tolist() == [[0, 1, 5], [1, 1, 5]]
    back = there_and_back(path)
    with netCDF4.Dataset(path) as a, netCDF4.Dataset(back) as b:
        for name in ("t2m", "d2m"):
            a[name].set_auto_maskandscale(False)
            b[name].set_auto_maskandscale(False)
            one, two = a[name][:], b[name][:]
            gone = np.isnan(one) | (one == -9999)
            assert gone.any()
            assert np.array_equal(one[gone].view("u4"), two[gone].view("u4"))
    near = ERA5(["t2m"], drop=True).resolve([path])
    filled = near.physical(near.read(path))["t2m"].reshape(3, 13, 24)
    assert abs(filled[1, 2, 5] - smooth(LAT, LON, 1)[2, 5]) < 10  # the nearest, not a sentinel


def packing(dtype: str, **attrs: Any) -> Packing:
    """The packing of a variable with these attributes."""
    return Packing.of({"dtype": dtype, "attrs": attrs, "store": {}})


def test_values_never_become_missing() -> None:
    integers = packing("i2", _FillValue={"i2": 100}, missing_value={"i2": 99})
    stored = integers.pack(np.array([100.2, 99.0, 98.0, 4e9, -4e9, 101.0]))
    assert stored.tolist() == [101, 98, 98, 32767, -32768, 101]
    floats = packing("f4", _FillValue={"f4": 0.0}).pack(np.array([0.0, 1e300, 2.5]))
    assert floats.tolist() == [float(np.finfo("f4").tiny), float(np.finfo("f4").max), 2.5]
    unsigned = packing("i1", _Unsigned="true", scale_factor={"f4": 2.0})
    assert unsigned.unpack(np.array([-1, 1], "i1")).tolist() == [510, 2]
    assert unsigned.pack(np.array([510.0, 999.0, 2.2])).tolist() == [-1, -1, 1]
    wide = packing("u8").pack(np.array([1e30, -1e30, 2.0**53]))
    assert wide.tolist() == [2**64 - 1, 0, 2**53]


def test_values_never_leave_the_valid_range() -> None:
    # of more digits than the type has: the nearest float32 to 0.3 is above it, to 0.7 below it
    floats = packing("f4", valid_range={"f8": [0.3, 0.7]}).pack(np.array([-1.0, 0.3, 0.7, 2.0]))
    assert floats.min() == np.float32(0.3) > 0.3
    assert floats.max() == np.float32(0.7) < 0.7
    signs = packing("i1", _Unsigned="true", valid_range={"i1": [0, -3]})  # 0 to 253
    assert signs.pack(np.array([-3.0, 0.4, 255.0])).tolist() == [0, 0, -3]
    assert signs.outside(np.array([-3, -2, -1, 0], "i1")).tolist() == [False, True, True, False]
    edge = packing("i2", valid_min={"i2": 5}, _FillValue={"i2": 5}, missing_value={"i2": 6})
    assert edge.pack(np.array([-9.0, 5.0, 6.0, 8.0])).tolist() == [7, 7, 7, 8]
    scale = {"scale_factor": {"f8": 0.01}, "add_offset": {"f8": 280.0}}
    unpacked = packing("i2", **scale, valid_range={"f4": [279.5, 281.0]})
    outside = unpacked.outside(np.array([-51, -50, 100, 101], "i2"))
    assert outside.tolist() == [True, False, False, True]
    assert unpacked.pack(np.array([270.0, 290.0])).tolist() == [-50, 100]


def test_weights_are_areas(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc")
    weights = ERA5().resolve([path]).read(path).weights
    assert weights is not None and weights.mean().item() == pytest.approx(1.0, abs=1e-6)
    rows = weights.reshape(13, 24)[:, 0].numpy()
    assert (rows > 0).all()  # the poles too
    inner = rows[1:-1] / np.cos(np.deg2rad(LAT[1:-1]))
    assert np.allclose(inner, inner[0], rtol=1e-5)
    cap = (1 - np.cos(np.deg2rad(7.5))) / 2  # of the sphere, by Archimedes
    assert rows[0] / rows.sum() == pytest.approx(cap, rel=1e-5)
    assert ERA5(area_weights=False).resolve([path]).read(path).weights is None
