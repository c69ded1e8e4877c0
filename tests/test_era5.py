"""Globes: NetCDF files to signals and back, views, quality, the sample and its DataModule."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from numpy.typing import NDArray

from inrc.container import packed
from inrc.errors import SignalError, UsageError
from inrc.signal import Signal, View
from inrc.testing import check_file, check_modality
from inrc_modalities.era5 import ERA5, Globes, packing, sample, sphere
from inrc_modalities.era5.header import Header
from inrc_modalities.era5.values import Packing

CLIMATE = sorted((Path(__file__).parents[2] / "shared" / "data" / "climate").glob("*.nc"))
LAT = np.linspace(90.0, -90.0, 13)
LON = np.arange(24) * 15.0


def smooth(lat: NDArray[Any], lon: NDArray[Any], time: float = 0.0) -> NDArray[np.float64]:
    """Kelvins that are a linear function of the unit vector."""
    phi, lam = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None]
    x, y, z = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
    return 280.0 + time + 5.0 * x + 3.0 * y - 20.0 * z + 0.0 * lam


def make(
    path: Path,
    lat: NDArray[Any] = LAT,
    lon: NDArray[Any] = LON,
    times: int = 2,
    form: str = "NETCDF4",
    order: tuple[str, ...] = ("time", "lat", "lon"),
    kind: str = "f4",
    missing: NDArray[np.bool_] | None = None,
    calendar: tuple[str, str] = ("i4", "standard"),
    **attrs: Any,
) -> Path:
    """A file of t2m; `attrs` are those of the variable, applied as they are."""
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.setncatts({"title": "test", "version": np.int32(3)})
        about = {
            "time": (
                np.arange(times) * 31 + 14,
                calendar[0],
                {"units": "days since 1900-01-01", "calendar": calendar[1]},
            ),
            "lat": (lat, "f8", {"units": "degrees_north"}),
            "lon": (lon, "f8", {"units": "degrees_east"}),
        }
        for name, (values, dtype, texts) in about.items():
            file.createDimension(name, None if name == "time" else len(values))
            file.createVariable(name, dtype, (name,)).setncatts(texts)
            file[name][:] = values
        variable = file.createVariable("t2m", kind, order, fill_value=attrs.pop("_FillValue", None))
        variable.set_auto_maskandscale(False)
        variable.setncatts({"units": "K", **attrs})
        values = np.array([smooth(lat, lon, time) for time in range(times)])
        values = values.reshape(times, len(lat), len(lon))
        stored = (values - attrs.get("add_offset", 0.0)) / attrs.get("scale_factor", 1.0)
        stored = (np.rint(stored) if kind[0] in "iu" else stored).astype(kind)
        if missing is not None:
            stored[:, missing] = variable.getncattr("_FillValue")
        names = ("time", "lat", "lon")
        variable[tuple(slice(0, stored.shape[names.index(d)]) for d in order)] = stored.transpose(
            [names.index(d) for d in order]
        )
    return path


def there_and_back(path: Path, **settings: Any) -> Path:
    """What a codec without loss would make of a file."""
    model = ERA5(**settings).resolve([path])
    signal = model.read(path)
    joined = model.join(model.split(signal).features, signal.meta, View())
    written = path.with_name(f"back-{path.name}")
    model.write(joined, written)
    return written


def assert_stored_alike(first: Path, second: Path, ulps: float = 0.0) -> None:
    """Bit by bit, but for fields of floats, which may differ by rounding of their whole range."""
    with netCDF4.Dataset(first) as a, netCDF4.Dataset(second) as b:
        a.set_auto_maskandscale(False)
        b.set_auto_maskandscale(False)
        assert a.data_model == b.data_model
        assert [(n, len(d), d.isunlimited()) for n, d in a.dimensions.items()] == [
            (n, len(d), d.isunlimited()) for n, d in b.dimensions.items()
        ]
        assert attributes(a) == attributes(b)
        assert list(a.variables) == list(b.variables)
        for name, one in a.variables.items():
            two = b[name]
            assert (one.dtype, one.dimensions) == (two.dtype, two.dimensions), name
            assert attributes(one) == attributes(two), name
            assert (one.filters(), one.chunking(), one.endian()) == (
                two.filters(), two.chunking(), two.endian(),
            ), name  # fmt: skip
            x, y = np.asarray(one[...]), np.asarray(two[...])
            if one.dtype is str or x.dtype.kind != "f" or len(one.dimensions) < 2:
                assert np.array_equal(x, y) or x.tobytes() == y.tobytes(), name
                continue
            rough = ulps * np.finfo(np.float32).eps * np.nanmax(np.abs(x), initial=0.0)
            assert np.array_equal(np.isnan(x), np.isnan(y)), name
            assert np.nanmax(np.abs(x.astype("f8") - y), initial=0.0) <= rough, name


def attributes(owner: Any) -> list[tuple[str, str, str]]:
    """Names, types and values, NaN equal to itself."""
    values = [(name, owner.getncattr(name)) for name in owner.ncattrs()]
    return [(name, str(getattr(v, "dtype", type(v))), repr(v)) for name, v in values]


# --- files ---------------------------------------------------------------------------------------


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


def test_values_never_become_missing(tmp_path: Path) -> None:
    entry = {"dtype": "i2", "attrs": {"_FillValue": {"i2": 100}, "missing_value": {"i2": 99}}}
    stored = Packing.of(entry).pack(np.array([100.2, 99.0, 98.0, 4e9, -4e9, 101.0]))
    assert stored.tolist() == [98, 98, 98, 32767, -32768, 101]
    entry = {"dtype": "f4", "attrs": {"_FillValue": {"f4": 0.0}}}
    assert Packing.of(entry).pack(np.array([0.0, 1e300, 2.5])).tolist() == pytest.approx(
        [1.0, float(np.finfo("f4").max), 2.5]
    )
    entry = {"dtype": "i1", "attrs": {"_Unsigned": "true", "scale_factor": {"f4": 2.0}}}
    unsigned = Packing.of(entry)
    assert unsigned.unpack(np.array([-1, 1], "i1")).tolist() == [510, 2]
    assert unsigned.pack(np.array([510.0, 999.0, 2.2])).tolist() == [-1, -1, 1]


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
    assert model.values(signal.shape) == 74 * model.count(signal.shape)
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


# --- meta ----------------------------------------------------------------------------------------


def test_files_of_one_data_set_differ_in_little(tmp_path: Path) -> None:
    paths = ERA5().sample(tmp_path, 3, 4)
    model = ERA5().resolve(paths)
    one, two = (dict(model.read(path).meta) for path in paths[:2])
    assert len(packed(one)) < 2000
    time = one["variables"]["time"].pop("data"), two["variables"]["time"].pop("data")
    assert one == two
    assert time[0]["step"] == time[1]["step"] == 6 and time[0]["start"] != time[1]["start"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(300) * 6 + 10**6,
        np.array([2**63 - 1, -(2**63), 5]),
        np.array([0, 2**64 - 1, 2**63], "u8"),
        np.array([0, 31, 59, 90], "i8"),
        np.linspace(0, 359.75, 1440),
        np.linspace(90, -90, 721).astype("f4"),
        np.array([np.nan, -0.0, np.inf, 1.0]),
        np.array(5.5),
        np.zeros((0, 3), "i2"),
        np.array([["a", "ü"]], object),
        np.array([-1, 0, 1], "i1"),
        np.array([200, 100, 0], "u1"),
        np.arange(12, dtype=">f4").reshape(3, 4),
    ],
)
def test_arrays_pack_exactly(array: NDArray[Any]) -> None:
    kind = "str" if array.dtype == object else array.dtype.str[1:]
    again = packing.unpack(packing.pack(array), kind, array.shape)
    assert again.shape == array.shape and again.dtype == array.dtype.newbyteorder("=")
    assert again.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes() or (
        kind == "str" and again.tolist() == array.tolist()
    )


def test_regular_axes_cost_nothing() -> None:
    for axis in (
        np.linspace(0, 359.75, 1440),
        np.linspace(90, -90, 721).astype("f4"),
        np.arange(90, dtype="f4") * np.float32(0.1),
        np.arange(8760) * 3600,
    ):
        assert set(packing.pack(axis)) == {"start", "step"}


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc", missing=LAT[:, None] * LON[None] > 90, _FillValue=np.float32(0))
    model = ERA5().resolve([path])
    signal = model.read(path)
    meta: Any = signal.meta

    def changed(*keys: str, to: Any) -> dict[str, Any]:
        copy: dict[str, Any] = dict(meta)
        inner = copy
        for key in keys[:-1]:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner[keys[-1]] = to
        return copy

    for broken in (
        {},
        changed("dims", to=None),
        changed("dims", "time", to=-1),
        changed("dims", "time", to=True),
        changed("dims", "time", to=1 << 40),
        changed("lat", to="nowhere"),
        changed("lead", to=["bnds"]),
        changed("format", to="HDF"),
        changed("suffix", to="/../a"),
        changed("variables", "lat", "data", to={"bytes": b"\x01junk"}),
        changed("variables", "lat", "dtype", to="O"),
        changed("variables", "lon", "data", to={"start": 0.0, "step": float("nan")}),
        changed("variables", "t2m", "dims", to=["lat", "lon"]),
        changed("variables", "t2m", to=[]),
    ):
        with pytest.raises(SignalError, match=r"^era5: "):
            model.shape(broken)
    for broken in (
        changed("variables", "t2m", "mask", to={"kinds": [b"1234"], "shared": [True, True],
                                                "rows": b"\x02short"}),
        changed("variables", "t2m", "mask", to="lat"),
        changed("variables", "t2m", "store", to={"chunks": [1]}),
        changed("variables", "t2m", "attrs", to={"scale_factor": "?"}),
        changed("attrs", to={"a": {"O": 1}}),
        changed("variables", "time", "data", to={}),
    ):  # fmt: skip
        with pytest.raises(SignalError) as refusal:
            model.write(Signal(signal.queries, signal.features, signal.shape, broken),
                        tmp_path / "b.nc")  # fmt: skip
        assert "\n" not in str(refusal.value)
        assert not (tmp_path / "b.nc").exists()


# --- weights -------------------------------------------------------------------------------------


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


# --- views ---------------------------------------------------------------------------------------


def decode(path: Path, view: View, written: Path) -> xr.Dataset:
    """A field that answers `smooth` wherever it is asked."""
    model = ERA5().resolve([path])
    signal = model.read(path)
    assert model.ranges is not None
    (low, high) = model.ranges[0]
    ask = model.ask(signal.meta, view)
    slopes = torch.tensor([5.0, 3.0, -20.0], dtype=torch.float64)
    values = 280.0 + ask.queries.double() @ slopes + torch.arange(len(ask.parts))[:, None]
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
        (View(region=(("time", 0, 1),)), "region: time"),
        (View(region=(("lat", 0, 1), ("lat", 0, 2))), "twice"),
        (View(region=(("lat", 1, 2),)), "no point between 1 and 2"),
        (View(region=(("lat", float("nan"), 2),)), "region lat"),
        (View(region=(("lon", 5, 5),)), "no point between 5 and 5"),
        (View(region=(("lon", 0, float("inf")),)), "not finite"),
        (View(scale=-1.0), "above 0"),
        (View(scale=1e9), "too many"),
        (View(scale=2.0, at=Path("x.nc")), "not for both"),
        (View(at=Path("missing.nc")), "missing.nc: no such file"),
    ],
)
def test_views_that_make_no_sense(tmp_path: Path, view: View, said: str) -> None:
    path = make(tmp_path / "a.nc")
    model = ERA5().resolve([path])
    with pytest.raises(SignalError, match=said):
        model.ask(model.read(path).meta, view)


# --- quality -------------------------------------------------------------------------------------


def test_measures_are_in_kelvin(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc", missing=LON[None] * (0 * LAT[:, None] + 1) == 0,
                _FillValue=np.float32(np.nan))  # fmt: skip
    model = ERA5().resolve([path])
    signal = model.read(path)
    assert model.ranges is not None
    width = model.ranges[0][1] - model.ranges[0][0]
    off = torch.full_like(signal.features, 0.1)
    off[1] = -0.3
    worse = tmp_path / "b.nc"
    model.write(signal.answer(signal.features + off), worse)
    found = model.measure(path, worse)
    assert found["max_error_t2m"] == pytest.approx(0.3 * width, rel=1e-5)
    assert found["rmse_t2m"] == pytest.approx(width * np.sqrt(0.05), rel=1e-5)
    assert found["psnr"] == pytest.approx(-10 * np.log10(0.05), rel=1e-5) == found["psnr_t2m"]
    filled = make(tmp_path / "c.nc")
    assert model.measure(path, filled)["psnr"] == -np.inf  # a mask got lost
    with pytest.raises(SignalError, match=r"d\.nc: t2m has parts"):
        model.measure(path, make(tmp_path / "d.nc", lat=LAT[:5]))


def test_pictures_are_north_up(tmp_path: Path) -> None:
    for name, lat in (("a.nc", LAT), ("b.nc", LAT[::-1])):
        make(tmp_path / name, lat)
    first, second = ERA5().picture(tmp_path / "a.nc", tmp_path / "b.nc")
    assert first["unit"] == "K" and np.array_equal(first["image"], second["image"])
    assert first["image"][0, 0] < first["image"][-1, 0]  # it is the north that is cold


# --- errors --------------------------------------------------------------------------------------


def bad(folder: Path, kind: str) -> Path:
    """A NetCDF file that has what its name says."""
    path = make(folder / f"{kind}.nc")
    with netCDF4.Dataset(path, "a") as file:
        if kind == "infinite":
            file["t2m"][0, :2, 0] = np.inf
        elif kind == "unknown":
            file["t2m"][:] = np.nan
        elif kind == "celsius":
            file["t2m"].units = "degC"
        elif kind == "group":
            file.createGroup("inner")
        elif kind == "nolat":
            file.renameVariable("lat", "y")
            file["y"].delncattr("units")
        elif kind == "renamed":
            file.renameVariable("t2m", "t")
            file.createVariable("z", "f4", ("time", "lat", "lon"))[:] = 0
        elif kind == "jumbled":
            file["lat"][:2] = [0, 90]
        elif kind == "degrees":
            file["lat"][:] = LAT * 2
        elif kind == "large":
            noise = np.random.default_rng(0).normal(size=(60, 13, 24))
            file.createDimension("n", 60)
            file.createVariable("noise", "f8", ("n", "lat", "lon"))[:] = noise
        elif kind == "compound":
            mine = file.createCompoundType(np.dtype([("a", "f4")]), "mine")
            file.createVariable("c", mine, ("time",))
        elif kind == "curved":
            for name in ("lat", "lon"):
                file.renameVariable(name, "old")
                file["old"].delncattr("units")
                file.renameVariable("old", f"{name}_index")
                two = file.createVariable(name, "f8", ("lat", "lon"))
                two.standard_name = "latitude" if name == "lat" else "longitude"
                two[:] = 0.0
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("infinite", "t2m: 2 infinite values"),
        ("unknown", "nothing but missing values in t2m"),
        ("celsius", "t2m is in degC, but the model's is in K"),
        ("group", r"has groups \(inner\)"),
        ("nolat", "no latitude found"),
        ("renamed", "has t, z; asked for t2m"),
        ("jumbled", "lat: must rise or fall all the way"),
        ("degrees", "lat: 180 to -180 are no degrees"),
        ("large", "noise: no field of the model, and too large"),
        ("compound", "c is of a type made by a user"),
        ("curved", "latitude has two dimensions, a curvilinear grid"),
    ],
)
def test_bad_files_are_refused_in_a_line(tmp_path: Path, kind: str, said: str) -> None:
    model = ERA5().resolve([make(tmp_path / "good.nc")])
    with pytest.raises(SignalError, match=rf"{kind}\.nc.*{said}") as refusal:
        model.read(bad(tmp_path, kind))
    assert "\n" not in str(refusal.value)


def test_grids_without_extent_are_refused(tmp_path: Path) -> None:
    model = ERA5().resolve([make(tmp_path / "good.nc")])
    with pytest.raises(SignalError, match="lat: a grid needs two or more"):
        model.read(make(tmp_path / "a.nc", lat=LAT[:1]))
    with pytest.raises(SignalError, match="dimension time is empty"):
        model.read(make(tmp_path / "b.nc", times=0))
    with pytest.raises(SignalError, match="resolve"):
        ERA5().read(tmp_path / "good.nc")
    with pytest.raises(SignalError, match="no files"):
        ERA5().resolve([])
    with pytest.raises(SignalError, match="ranges need"):
        ERA5(ranges=[[0.0, 1.0]])


def test_large_variables_can_be_dropped(tmp_path: Path) -> None:
    path = bad(tmp_path, "large")
    model = ERA5(["t2m"], drop=True).resolve([path])
    model.write(model.read(path), tmp_path / "b.nc")
    with xr.open_dataset(tmp_path / "b.nc") as seen:
        assert set(seen.data_vars) == {"t2m"}


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc", np.linspace(90, -90, 181), np.arange(360.0))
    script = f"""
import resource, signal, sys
from pathlib import Path
from inrc.errors import SignalError
from inrc_modalities.era5 import ERA5
path = Path({str(path)!r})
model = ERA5().resolve([path])
read = model.read(path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    model.write(read, path.with_name("b.nc"))
except SignalError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "refused:" in done.stdout and "b.nc: cannot be written" in done.stdout, done.stderr
    assert not (tmp_path / "b.nc").exists()
    model = ERA5().resolve([path])
    with pytest.raises(SignalError, match="cannot be written"):
        model.write(model.read(path), tmp_path / "nowhere" / "b.nc")


# --- sample and DataModule -----------------------------------------------------------------------


def test_the_sample_is_made_once_and_always_alike(tmp_path: Path) -> None:
    one, two = (ERA5().sample(tmp_path / name, 5, 3) for name in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    before = [p.stat().st_mtime_ns for p in one]
    assert ERA5().sample(tmp_path / "a", 5, 3) == one
    assert [p.stat().st_mtime_ns for p in one] == before
    one[1].unlink()
    ERA5().sample(tmp_path / "a", 5, 3)
    assert one[1].read_bytes() == two[1].read_bytes()


def test_the_sample_is_a_plausible_planet(tmp_path: Path) -> None:
    planet = sample.create(0)
    hours = 1_016_832 + np.arange(0, 8766, 96)
    t2m, z500 = sample.weather(planet, 0, hours)
    lat = np.linspace(90, -90, 46)
    area = sphere.areas(lat, 1).numpy()[:, None] / (46 * 90)
    assert (area * (planet.land > 0.5)).sum() == pytest.approx(0.3, abs=0.01)
    assert 190 < t2m.min() and t2m.max() < 325 and 280 < (area * t2m).sum() / len(t2m) < 293
    assert 46_000 < z500.min() and z500.max() < 60_500  # m² s⁻², as ERA5's
    zonal = t2m.mean((0, 2))
    assert zonal[22] - zonal[2] > 30 and zonal[22] - zonal[-3] > 30
    northern = planet.land[4:15] > 0.9
    january, july = t2m[2, 4:15][northern].mean(), t2m[48, 4:15][northern].mean()
    assert july > january + 10
    waves = np.abs(np.fft.rfft(z500[:, 20:26] - z500[:, 20:26].mean(0), axis=-1)) ** 2
    k = np.arange(7, 20)
    slope = np.polyfit(np.log(k), np.log(waves.mean((0, 1))[k]), 1)[0]
    assert -3.8 < slope < -2.2  # k^-3, Nastrom & Gage 1985
    later = sample.weather(planet, 0, hours + 12)[1]
    now, then = (np.fft.fft(z[:, 12] - z[:, 12].mean(0)) for z in (z500, later))
    lag = np.argmax(np.fft.ifft(now.conj() * then).real.mean(0))
    assert 1 <= lag <= 3  # 4.2 degrees eastwards in half a day


def test_globes_are_pinned_from_the_beginning(tmp_path: Path) -> None:
    data = Globes(sample_folder=tmp_path, sample_count=5)
    model = data.modality
    assert (model.query_dim, model.point_dim, model.value_dim, model.feature_dim) == (3, 3, 2, 2)
    settings = data.modality.settings()
    assert settings["variables"] == ["t2m", "z500"] and settings["units"] == ["K", "m**2 s**-2"]
    data.setup("fit")
    assert data.train_rows is not None and data.val_rows is not None
    assert (len(data.train_rows), len(data.val_rows)) == (24, 6)
    assert len(data.val_paths) == 1 and data.val_paths[0].is_file()
    assert data.train_rows.features.min() == 0 and data.train_rows.features.max() == 1
    assert data.train_rows.queries.shape == (1, 46 * 90, 3)


def test_a_dimension_can_be_held_out(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.nc", times=5)
    data = Globes(whole, hold_dim="time", hold_last=2, sample_folder=tmp_path / "parts")
    data.setup("fit")
    assert data.train_rows is not None and data.val_rows is not None
    assert (len(data.train_rows), len(data.val_rows)) == (3, 2)
    assert data.val_rows.features.max() > 1  # ranges are those of the training part
    with xr.open_dataset(whole) as given, xr.open_dataset(data.val_paths[0]) as held:
        xr.testing.assert_identical(given.isel(time=slice(3, None)), held)
    again = Globes(whole, hold_dim="time", hold_last=2, sample_folder=tmp_path / "parts")
    assert again.val_paths == data.val_paths
    for dim, last, said in (("member", 1, "asked for member"), ("time", 5, "hold 1 to 4")):
        with pytest.raises(SignalError, match=said):
            Globes(whole, hold_dim=dim, hold_last=last, sample_folder=tmp_path)
    with pytest.raises(UsageError, match="one file"):
        Globes(tmp_path, hold_dim="time")


def test_a_header_is_checked_without_reading(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc")
    header = Header.of(ERA5().resolve([path]).read(path).meta)
    assert header.wraps and header.parts == 2 and header.shape == (2, 13, 24)
    with pytest.raises(SignalError, match="no field 'u'"):
        header.entry("u")
