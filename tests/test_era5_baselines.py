"""The globe baselines: errors within bounds, masks and lengths counted, nothing else taken."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_files import LAT, LON, attributes, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.era5 import ERA5
from inrc_modalities.era5.baselines import SHARES
from inrc_modalities.era5.slices import CODECS

BASELINES = {each.name: each for each in ERA5().baselines()}
by_name = pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
SEA = (np.abs(LAT)[:, None] > 40) | (LON[None] == 0)


def values(path: Path, name: str = "t2m") -> Any:
    with xr.open_dataset(path) as data:
        return data[name].values.astype(np.float64)


@by_name
@pytest.mark.parametrize("grid", [(LAT, LON), (LAT[::-1], LON - 180), (LAT[:2], LON[:3])])
def test_errors_are_within_their_bound(
    tmp_path: Path, baseline: Baseline, grid: tuple[Any, Any]
) -> None:
    path, decoded = make(tmp_path / "a.nc", *grid), tmp_path / "b.nc"
    original, sizes = values(path), []
    for share in (0.1, 0.001):
        data = baseline.encode(path, share)
        baseline.decode(data, path, decoded)
        error = values(decoded) - original
        reached = np.sqrt((error**2).mean()) if baseline.name == "JPEG 2000" else abs(error).max()
        # a small slice of a JPEG 2000 stream has little to choose from; floats round
        slack = 1.5 if baseline.name == "JPEG 2000" else 1.001
        assert reached <= slack * share * np.ptp(original)
        sizes.append(len(data))
    assert sizes[0] < sizes[1] or len(grid[0]) == 2


@by_name
def test_growing_rates(tmp_path: Path, baseline: Baseline) -> None:
    (path,) = ERA5().sample(tmp_path, 0, 1)
    model, decoded = ERA5().resolve([path]), tmp_path / "b.nc"
    mine = {each.name: each for each in model.baselines()}[baseline.name]
    assert mine.unit == "of the range" and mine.qualities[-len(SHARES) :] == SHARES
    sizes, psnr = [], []
    for share in mine.qualities[::4]:
        sizes.append(len(mine.encode(path, share)))
        mine.decode(mine.encode(path, share), path, decoded)
        psnr.append(model.measure(path, decoded)["psnr"])
    assert sizes == sorted(sizes) and psnr == sorted(psnr) and psnr[-1] > psnr[0] + 20
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(decoded) as two:
        assert attributes(one) == attributes(two) and list(one.variables) == list(two.variables)
        for name in one.variables:
            assert attributes(one[name]) == attributes(two[name])


@by_name
@pytest.mark.parametrize(
    ("kind", "attrs"),
    [
        ("f4", {"_FillValue": np.float32("nan")}),
        ("f4", {"_FillValue": np.float32(1e20), "missing_value": np.float32(1e20)}),
        ("i2", {"scale_factor": 0.002, "add_offset": 285.0, "_FillValue": np.int16(-32768)}),
    ],
)
def test_missing_values_are_in_the_bytes(
    tmp_path: Path, baseline: Baseline, kind: str, attrs: dict[str, Any]
) -> None:
    path = make(tmp_path / "a.nc", kind=kind, missing=SEA, **attrs)
    clear = make(tmp_path / "clear.nc", kind=kind, **attrs)  # the same file, but all is known
    data, decoded = baseline.encode(path, 0.01), tmp_path / "b.nc"
    baseline.decode(data, clear, decoded)
    assert np.array_equal(np.isnan(values(decoded)), np.broadcast_to(SEA, (2, *SEA.shape)))
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(decoded) as two:
        one.set_auto_maskandscale(False), two.set_auto_maskandscale(False)
        assert one["t2m"][:][:, SEA].tobytes() == two["t2m"][:][:, SEA].tobytes()
        assert one["t2m"].dtype == two["t2m"].dtype
    baseline.decode(baseline.encode(clear, 0.01), path, decoded)
    assert not np.isnan(values(decoded)).any()
    kinds, rows = data[0], data[2 + np.dtype(kind).itemsize]
    assert kinds == 1 and 10 < rows <= 40  # bytes for 312 bits, shared by both times
    assert baseline.encode(clear, 0.01)[0] == 0


def test_levels_and_several_variables_in_any_order(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "a.nc"
    t = rng.normal(size=(2, 13, 24, 3)).cumsum(1).cumsum(2)
    data = xr.Dataset(
        {
            "t": (("time", "lat", "lon", "level"), t.astype("f4")),
            "u": (("level", "time", "lat", "lon"), np.moveaxis(100 * t, 3, 0)),
            "orog": (("lat", "lon"), t[0, :, :, 0]),
        },
        {"level": [1, 2, 3], "lat": LAT, "lon": LON, "time": [0, 1]},
    )
    data["t"][0, :, :, 1] = np.nan
    data.to_netcdf(path)
    for model in (ERA5(), ERA5(["u", "t"]), ERA5(levels_as_channels=False)):
        model = model.resolve([path])
        for baseline in model.baselines()[1:]:
            baseline.decode(baseline.encode(path, 0.01), path, tmp_path / "b.nc")
            for name, size in (("t", 1.0), ("u", 100.0)):
                error = abs(values(tmp_path / "b.nc", name) - values(path, name))
                assert 0 < np.nanmax(error) <= 0.0101 * size * np.ptp(t)
                assert np.array_equal(np.isnan(error), np.isnan(values(path, name)))
            assert np.array_equal(values(tmp_path / "b.nc", "orog"), values(path, "orog"))


@by_name
def test_constants_cost_little(tmp_path: Path, baseline: Baseline) -> None:
    path = make(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"][:] = 273.25
    baseline.decode(baseline.encode(path, 0.001), path, tmp_path / "b.nc")
    assert abs(values(tmp_path / "b.nc") - 273.25).max() <= 0.001
    assert len(baseline.encode(path, 0.001)) < 500


@by_name
def test_damage_is_one_line_and_leaves_nothing(tmp_path: Path, baseline: Baseline) -> None:
    path, decoded = make(tmp_path / "a.nc"), tmp_path / "b.nc"
    data = baseline.encode(path, 0.01)
    for wrong in (b"", data[:-1], data + b"x", b"\xff" * 40, data[:2] + b"\x01"):
        with pytest.raises(SignalError, match=r"b\.nc: the bytes are damaged") as refusal:
            baseline.decode(wrong, path, decoded)
        assert "\n" not in str(refusal.value) and not decoded.exists()
    with pytest.raises(SignalError, match="cannot write"):
        baseline.decode(data, path, tmp_path / "b.txt")
    with pytest.raises(SignalError, match=r"c\.nc: no such file"):
        baseline.encode(tmp_path / "c.nc", 0.01)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 20), st.integers(2, 20), st.floats(1e-3, 0.3), st.integers(0, 99))
def test_any_slice_keeps_its_shape_and_bound(
    codec: Any, height: int, width: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(height, width)).cumsum(0).cumsum(1).astype(np.float32)
    error = share * float(np.ptp(field))
    decoded = codec.decode(codec.encode(field, error), field.shape)
    assert decoded.shape == field.shape and decoded.dtype == np.float32
    off = abs(decoded.astype(np.float64) - field)
    if codec.name != "JPEG 2000":
        assert off.max() <= 1.001 * error
