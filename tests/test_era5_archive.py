"""Archives as training data: Zarr here and elsewhere, GRIB, NetCDF; read lazily, cut in files."""

import functools
import threading
import warnings
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from era5_files import LAT, LON, make, smooth

from inrc.errors import SignalError, UsageError
from inrc_modalities.era5 import Reanalysis, sources
from inrc_modalities.era5.presets import PRESETS

TIMES = np.datetime64("2016-01-01T00", "ns") + np.arange(10) * np.timedelta64(6, "h")


def planet(lat: Any = LAT, lon: Any = LON, names: tuple[str, ...] = ("t2m",)) -> xr.Dataset:
    """Ten times of some variables, each a kelvin more than the one before."""
    values = np.stack([smooth(lat, lon, time) for time in range(len(TIMES))]).astype("f4")
    return xr.Dataset(
        {
            name: (("time", "lat", "lon"), values + i, {"units": "K"})
            for i, name in enumerate(names)
        },
        {"time": TIMES, "lat": lat, "lon": lon},
    )


def store(path: Path, data: xr.Dataset, version: int = 2, chunk: int = 4) -> Path:
    pytest.importorskip("zarr")
    encoding = {name: {"chunks": (chunk, data.sizes["lat"], 8)} for name in data.data_vars}
    data.to_zarr(path, zarr_format=version, encoding=encoding, consolidated=version == 2)
    return path


def values(paths: list[Path], name: str = "t2m") -> Any:
    arrays = []
    for path in paths:
        with xr.open_dataset(path) as data:
            arrays.append(data[name].values)
    return np.concatenate(arrays)


@pytest.mark.parametrize("version", [2, 3])
def test_a_store_becomes_files(tmp_path: Path, version: int) -> None:
    data = planet(names=("t2m", "d2m"))
    root = store(tmp_path / "a.zarr", data, version)
    made = Reanalysis(str(root), folder=tmp_path / "out", steps=3, val_fraction=0.25)
    assert len(made.train_paths) == 3 and len(made.val_paths) == 1
    assert np.array_equal(values(made.slices, "d2m"), data.d2m.values)
    with xr.open_dataset(made.val_paths[0]) as last:
        xr.testing.assert_identical(last.load(), data.isel(time=slice(9, None)))
    made.setup("fit")
    assert made.train_rows is not None and made.train_rows.features.shape == (9, 13 * 24, 2)
    assert made.train_rows.features.min() == 0 and made.train_rows.features.max() == 1
    stamps = [path.stat().st_mtime_ns for path in made.slices]
    again = Reanalysis(str(root), folder=tmp_path / "out", steps=3, val_fraction=0.25)
    assert [path.stat().st_mtime_ns for path in again.slices] == stamps
    again.slices[1].unlink()
    third = Reanalysis(str(root), folder=tmp_path / "out", steps=3)
    assert np.array_equal(values(third.slices), data.t2m.values)


def test_a_part_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    level = xr.concat([planet() + 10 * n for n in range(3)], xr.DataArray([1, 2, 3], dims="level"))
    level["t2m"].attrs["units"] = "K"
    level["other"] = level.t2m * 2
    level.to_netcdf(path)
    made = Reanalysis(
        str(path), variables=["t2m"], select={"level": [3.0, 1.0]}, start="2016-01-01T12",
        stop="2016-01-02", every=2, thin=3, steps=1, folder=tmp_path / "out",
    )  # fmt: skip
    wanted = level.t2m.sel(level=[3, 1]).isel(time=slice(2, 8, 2), lat=slice(0, 13, 3)).values
    assert np.array_equal(
        np.concatenate([values([p]) for p in made.slices], axis=1), wanted[..., ::3]
    )
    assert made.modality.levels == [[3.0, 1.0]] and made.modality.variables == ["t2m"]


def test_the_preset_is_that_of_the_paper(tmp_path: Path) -> None:
    lat, lon = np.linspace(90, -90, 91), np.arange(180) * 2.0
    data = planet(lat, lon, ("t2m", "d2m"))
    made = Reanalysis(
        str(store(tmp_path / "a.zarr", data)), preset="coinpp", folder=tmp_path / "out"
    )
    made.setup("fit")
    rows = made.train_rows
    assert rows is not None and rows.features.shape == (8, 46 * 90, 1) and rows.weights is None
    kelvin = data.t2m.values[:8, ::2, ::2].reshape(8, -1)
    assert np.allclose(rows.features[..., 0], (kelvin - 202.66) / (320.93 - 202.66), atol=1e-6)
    assert np.allclose(np.linalg.norm(rows.queries, axis=-1), 1, atol=1e-6)
    assert np.allclose(rows.queries[0, 0], [0, 0, 1], atol=1e-6)  # the north pole
    assert made.modality.settings()["ranges"] == [[202.66, 320.93]]
    assert PRESETS["coinpp"].steps(721, 1440, "ERA5 itself") == (16, 16)
    for bad, said in (
        (planet(), "13 by 24 cannot be thinned to 46 by 90"),
        (planet(lat, lon, ("u10",)), "has u10; this preset wants one of"),
        (planet(lat, lon).assign(t2m=lambda d: d.t2m * 1), "t2m is in no units, not K"),
    ):
        root = store(tmp_path / f"{len(list(tmp_path.iterdir()))}.zarr", bad)
        if "units" in said:
            root = tmp_path / "units.nc"
            bad.drop_attrs().to_netcdf(root)
        with pytest.raises(SignalError, match=said):
            Reanalysis(str(root), preset="coinpp", folder=tmp_path / "out")
    with pytest.raises(UsageError, match="unknown; there are coinpp"):
        Reanalysis("a.nc", preset="coin")
    with pytest.raises(UsageError, match=r"data\.thin: preset coinpp sets the grid"):
        Reanalysis("a.nc", preset="coinpp", thin=2)


class Counting(SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    handler = type("Mine", (Counting,), {"asked": []})
    whole = functools.partial(handler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), whole) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", handler.asked
        web.shutdown()
        thread.join()


def test_a_store_elsewhere_is_read_in_part(tmp_path: Path, served: tuple[str, list[str]]) -> None:
    pytest.importorskip("aiohttp")
    url, asked = served
    data = planet(names=("t2m", "unused"))
    store(tmp_path / "a.zarr", data)
    with pytest.raises(UsageError, match="set download: true"):
        Reanalysis(f"{url}/a.zarr", folder=tmp_path / "out")
    assert not asked
    made = Reanalysis(
        f"{url}/a.zarr", variables=["t2m"], start="2016-01-02T00", stop="2016-01-02T18",
        steps=2, download=True, folder=tmp_path / "out",
    )  # fmt: skip
    assert np.array_equal(values(made.slices), data.t2m.values[4:8])
    chunks = [path for path in asked if "t2m" in path and path[-1].isdigit()]
    assert sorted(chunks) == [f"/a.zarr/t2m/1.0.{column}" for column in range(3)]  # and once
    assert not [path for path in asked if "unused/" in path and path[-1].isdigit()]
    with pytest.raises(SignalError, match="cannot be opened as Zarr"):
        Reanalysis(f"{url}/b.zarr", download=True, folder=tmp_path / "out")


def grib(path: Path, names: tuple[str, ...] = ("t", "z"), levels: tuple[int, ...] = (500, 850),
         kind: str = "isobaricInhPa") -> Path:  # fmt: skip
    """Written by ECMWF's own library."""
    eccodes = pytest.importorskip("eccodes")
    pytest.importorskip("cfgrib")
    with path.open("ab") as file:
        for name in names:
            for hour in (0, 600):
                for level in levels:
                    one = eccodes.codes_grib_new_from_samples("regular_ll_pl_grib2")
                    for key, value in {
                        "Ni": 24, "Nj": 13, "latitudeOfFirstGridPointInDegrees": 90,
                        "latitudeOfLastGridPointInDegrees": -90,
                        "longitudeOfFirstGridPointInDegrees": 0,
                        "longitudeOfLastGridPointInDegrees": 345,
                        "iDirectionIncrementInDegrees": 15, "jDirectionIncrementInDegrees": 15,
                        "dataDate": 20160101, "dataTime": hour, "typeOfLevel": kind,
                        "level": level, "shortName": name, "bitsPerValue": 24,
                    }.items():  # fmt: skip
                        eccodes.codes_set(one, key, value)
                    field = smooth(LAT, LON, hour / 600) + level / 10
                    eccodes.codes_set_values(one, field.reshape(-1))
                    eccodes.codes_write(one, file)
                    eccodes.codes_release(one)
    return path


def test_grib_becomes_files(tmp_path: Path) -> None:
    path = grib(tmp_path / "a.grib")
    made = Reanalysis(str(path), select={"isobaricInhPa": [850.0]}, folder=tmp_path / "out")
    assert made.modality.variables == ["t", "z"] and made.modality.levels == [[850.0]] * 2
    wanted = np.stack([smooth(LAT, LON, time) + 85 for time in (0, 1)])
    assert np.allclose(values(made.slices, "t")[:, 0], wanted, atol=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.grib", "out"]  # no index beside it
    two = grib(tmp_path / "b.grib", ("2t",), (2,), "heightAboveGround")
    grib(two, ("10u",), (10,), "heightAboveGround")
    with pytest.raises(SignalError, match=r"b\.grib: .*select some with keys") as refusal:
        Reanalysis(str(two), folder=tmp_path / "out")
    assert "\n" not in str(refusal.value)
    one = Reanalysis(str(two), keys={"shortName": "2t"}, folder=tmp_path / "out")
    assert one.modality.variables == ["t2m"]


@pytest.mark.parametrize(("name", "extra"), [("a.grib", "grib"), ("a.zarr", "zarr")])
def test_without_its_extra_a_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: str
) -> None:
    path = tmp_path / name
    path.mkdir() if extra == "zarr" else path.write_bytes(b"GRIB")
    if extra == "zarr":
        (path / ".zgroup").write_text("{}")
    monkeypatch.setattr(sources, "find_spec", lambda package: None)
    with pytest.raises(SignalError, match=rf"{name}: .* pip install 'inrc\[{extra}\]'"):
        Reanalysis(str(path), folder=tmp_path / "out")


def test_bad_sources_are_refused_in_a_line(tmp_path: Path) -> None:
    good = str(make(tmp_path / "good.nc"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.nc").write_text("no")
    (tmp_path / "text.grib").write_text("no")
    xr.Dataset({"x": ("y", [1.0])}).to_netcdf(tmp_path / "flat.nc")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("missing.nc", {}, "no such file"),
        ("folder", {}, "not a Zarr store"),
        ("text.nc", {}, "cannot be opened as NetCDF"),
        ("text.grib", {}, "GRIB"),
        ("flat.nc", {}, "none called lat or latitude"),
        (good, {"variables": ["u"]}, "has t2m; asked for u"),
        (good, {"select": {"level": [5.0]}}, "cannot select"),
        (good, {"start": "2030"}, "no time from 2030"),
        (good, {"start": "yesterday"}, "cannot select"),
        (good, {"every": 0}, "1 or more"),
        (good, {"keys": {"a": "b"}}, "GRIB files only"),
    ]
    for name, options, said in cases:
        where = name if name == good else str(tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cfgrib logs what it then raises
            with pytest.raises(SignalError, match=said) as refusal:
                Reanalysis(where, folder=tmp_path / "out", **options)
        assert "\n" not in str(refusal.value) and where in str(refusal.value)
    assert not list(tmp_path.glob("out/*/*"))


def test_holes_stay_holes(tmp_path: Path) -> None:
    data = planet()
    data["t2m"][:, 3:5, 2:9] = np.nan
    data.to_netcdf(tmp_path / "a.nc")
    made = Reanalysis(str(tmp_path / "a.nc"), folder=tmp_path / "out", steps=5)
    made.setup("fit")
    assert made.train_rows is not None and made.train_rows.weights is not None
    assert int((made.train_rows.weights[0] == 0).sum()) == 14
