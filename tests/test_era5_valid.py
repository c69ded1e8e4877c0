"""What netCDF4 and xarray mask before, they mask after, and nothing else."""

import warnings
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from era5_files import make
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import ERA5

HOLES = [(0, 3, 5), (0, 3, 6), (1, 3, 5), (1, 12, 23)]


def holed(path: Path, kind: str, attrs: dict[str, Any], holes: list[Any], top: int) -> Path:
    """A file whose numbers run from 0 to `top`, with these numbers at HOLES."""
    make(path)
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("t2m", "old")
        fill = attrs.pop("_FillValue", None)
        order: Any = "big" if kind[0] == ">" else "native"
        dims = ("time", "lat", "lon")
        made = file.createVariable("t", kind, dims, fill_value=fill, endian=order)
        made.set_auto_maskandscale(False)
        made.setncatts({"units": "K", **attrs})
        ramp = np.linspace(0, top, 2 * 13 * 24).reshape(2, 13, 24)
        numbers = (np.rint(ramp) if kind[-2] in "iu" else ramp).astype(kind)
        for place, number in zip(HOLES, holes, strict=False):
            numbers[place] = number
        made[:] = numbers
    return path


def noisy_copy(path: Path, error: float = 0.05, **settings: Any) -> tuple[ERA5, Path]:
    """The model of a file, and the file as a codec with an error would return it."""
    model = ERA5(["t"], **settings).resolve([path])
    signal = model.read(path)
    noise = error * torch.randn(signal.features.shape, generator=torch.Generator().manual_seed(0))
    back = path.with_name("back.nc")
    model.write(model.join(signal.features + noise, signal.meta, View()), back)
    return model, back


def masks(path: Path) -> list[NDArray[np.bool_]]:
    """Where each reader masks the values of t."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about attributes that cannot be cast
        with netCDF4.Dataset(path) as file, xr.open_dataset(path) as data:
            mask = np.ma.getmaskarray(file["t"][:])  # type: ignore[no-untyped-call]
            return [mask, np.isnan(data["t"].values)]


F4, I2, U1, I1 = np.float32, np.int16, np.uint8, np.int8
SCALED = {"scale_factor": 0.5, "add_offset": 200.0}


@pytest.mark.parametrize(
    ("kind", "attrs", "holes", "top"),
    [
        ("f4", {"_FillValue": F4(1e20)}, [1e20, np.nan], 50),
        ("f4", {"missing_value": F4(-999)}, [-999], 50),
        ("f4", {"missing_value": np.array([-999, -99], "f4")}, [-999, -99, -99], 50),
        ("f4", {"missing_value": 1e20}, [F4(1e20)], 50),
        ("f4", {"missing_value": "-999"}, [-999], 50),
        ("f4", {"missing_value": "none"}, [np.nan], 50),
        ("f4", {}, [netCDF4.default_fillvals["f4"]], 50),
        ("f4", {"_FillValue": False}, [netCDF4.default_fillvals["f4"]], 50),
        ("f4", {"valid_min": F4(0)}, [-1e-5, -2e-5], 50),
        ("f4", {"valid_max": F4(50)}, [50.5, 99], 50),
        ("f4", {"valid_range": np.array([0, 50], "f4")}, [-1, 51, np.nan], 50),
        ("f4", {"valid_range": np.array([-0.1, 50.1])}, [-0.15, 50.3], 50),
        ("f4", {"valid_min": F4(0), "_FillValue": F4(0)}, [0, -7], 50),
        ("f8", {"valid_range": np.array([0.0, 50.0]), "missing_value": -9.99e8}, [-9.99e8], 50),
        (">f4", {"valid_min": F4(0), "_FillValue": F4(-1)}, [-1, -2], 50),
        ("i2", {**SCALED, "_FillValue": I2(-1)}, [-1], 100),
        ("i2", {**SCALED, "_FillValue": I2(-1), "missing_value": I2(-2)}, [-1, -2], 100),
        ("i2", {**SCALED}, [-32767], 100),
        ("i2", {**SCALED, "valid_range": np.array([0, 100], "i2")}, [-999, 101], 100),
        ("i2", {**SCALED, "valid_min": I2(0), "valid_max": I2(100)}, [-5, 200], 100),
        ("i2", {**SCALED, "scale_factor": -0.5, "valid_max": I2(100)}, [101], 100),
        ("i2", {**SCALED, "valid_range": np.array([200.25, 240.25], "f4")}, [-1, 81], 80),
        ("i2", {"units": "K", "valid_range": np.array([0, 100], "i2")}, [-1, 101], 100),
        ("u1", {**SCALED, "_FillValue": U1(255)}, [255], 200),
        ("u1", {**SCALED}, [255], 200),
        ("u1", {**SCALED, "_FillValue": False}, [255], 255),
        ("i1", {**SCALED}, [-127], 100),
        ("i1", {**SCALED, "_Unsigned": "true", "missing_value": I2(255)}, [-1], 120),
        ("i1", {**SCALED, "_Unsigned": "true", "_FillValue": I1(-1)}, [-1], 120),
        ("i1", {**SCALED, "_Unsigned": "true", "valid_range": np.array([0, -56], "i1")}, [-3], 120),
        ("i1", {**SCALED, "_Unsigned": "true", "valid_max": I2(121)}, [125], 120),
        ("u4", {**SCALED, "valid_max": np.uint32(100)}, [101, 2**31], 100),
    ],
)
def test_masks_are_the_same_before_and_after(
    tmp_path: Path, kind: str, attrs: dict[str, Any], holes: list[Any], top: int
) -> None:
    path = holed(tmp_path / "a.nc", kind, dict(attrs), holes, top)
    model, back = noisy_copy(path)
    before, after = masks(path), masks(back)
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one, two)
    missing = before[0] | before[1]
    if (kind, attrs.get("_FillValue")) != ("u1", False):  # where nothing is missing
        missing[tuple(np.transpose(HOLES[: len(holes)]))] = True
        assert missing.sum() in (len(holes), len(holes) + 1)  # the ramp begins with 0
    with netCDF4.Dataset(path) as original, netCDF4.Dataset(back) as decoded:
        for file in (original, decoded):
            file.set_auto_maskandscale(False)
        stored = original["t"][:], decoded["t"][:]
        first, second = original["t"], decoded["t"]
        assert first.dtype == second.dtype and first.endian() == second.endian()
        assert first.get_fill_value() == second.get_fill_value()
        assert stored[0][missing].tobytes() == stored[1][missing].tobytes()
        assert (stored[0] != stored[1])[~missing].any()  # an error that a reader must not see
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with xr.open_dataset(path) as data:
            known = data["t"].values[~missing]
    assert model.ranges is not None
    low, high = sorted(model.ranges[0])
    assert known.min() <= low + 1e-4 and low >= known.min() - 1e-4 and high <= known.max() + 1e-4


def test_values_outside_do_not_need_to_be_few(tmp_path: Path) -> None:
    path = holed(tmp_path / "a.nc", "f4", {"valid_min": F4(10)}, [np.nan], 50)
    before = masks(path)
    model, back = noisy_copy(path)
    # by then 124 of 624 numbers are below 10, which a byte tells apart
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        a, b = one["t"][:].data, two["t"][:].data
        assert np.array_equal(a[before[0]], b[before[0]])
    assert model.losses(path) == []
    with netCDF4.Dataset(path, "a") as file:
        file["t"].valid_min = F4(40)
    before = masks(path)
    model, back = noisy_copy(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, masks(back), strict=True))
    assert model.losses(path) == ["497 numbers of t outside its valid range"]


def test_a_valid_range_that_readers_understand_differently_is_refused(tmp_path: Path) -> None:
    attrs = {**SCALED, "valid_range": np.array([200, 250], "f4")}
    path = holed(tmp_path / "a.nc", "i2", attrs, [], 100)
    with pytest.raises(SignalError, match="netCDF4 masks 624 valid values; give it in packed"):
        ERA5(["t"]).resolve([path])


def test_outliers_are_named_or_excluded(tmp_path: Path) -> None:
    path = holed(tmp_path / "a.nc", "f4", {}, [280, 1e38], 50)
    place = r"t: 1e\+38 at time 14, lat 45, lon 90 is an outlier \(1 in all\) beside values of"
    with pytest.raises(SignalError, match=place) as refusal:
        ERA5(["t"]).resolve([path])
    assert str(path) in str(refusal.value) and "exclude_outliers: true" in str(refusal.value)
    model, back = noisy_copy(path, exclude_outliers=True)
    assert model.ranges is not None and model.ranges[0] == pytest.approx([0.0, 280.0])
    assert ERA5(**model.settings()).exclude_outliers
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        assert two["t"][0, 3, 6] == one["t"][0, 3, 6] == F4(1e38)
        assert (two["t"][:] > 1e30).sum() == 1
    path = holed(tmp_path / "b.nc", "f4", {}, [np.inf, -np.inf], 50)
    with pytest.raises(SignalError, match="t: 2 infinite values or outliers, the first at time 14"):
        ERA5(["t"]).resolve([path])
    model, back = noisy_copy(path, exclude_outliers=True)
    with netCDF4.Dataset(back) as two:
        assert two["t"][0, 3, 5] == np.inf and np.isinf(two["t"][:]).sum() == 2


@pytest.mark.parametrize("value", [3e-3, 1e-20, 400.0, 9.9e4])
def test_heavy_tails_are_not_outliers(tmp_path: Path, value: float) -> None:
    path = holed(tmp_path / "a.nc", "f4", {}, [value, -value], 0)  # all else is 0: a desert
    model = ERA5(["t"]).resolve([path])
    assert model.ranges is not None and model.ranges[0] == pytest.approx([-value, value])
