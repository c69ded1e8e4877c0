"""The engine gives what xarray's own engine gives of the decoded file."""

import pickle
import re
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_files import make

from inrc import codec
from inrc.codec import Opened
from inrc.errors import ModelError, SignalError
from inrc.methods import COIN
from inrc.model import Model
from inrc_modalities.era5 import ERA5

OPTIONS: list[dict[str, Any]] = [
    {},
    {"decode_cf": False},
    {"mask_and_scale": False},
    {"decode_times": False},
    {"decode_times": xr.coders.CFDatetimeCoder(use_cftime=True)},
    {"use_cftime": True},
    {"decode_timedelta": True},
    {"decode_timedelta": False},
    {"concat_characters": False},
    {"decode_coords": False},
    {"decode_coords": "all"},
    {"drop_variables": "lead"},
    {"drop_variables": ["t2m", "time", "no such variable"]},
    {"cache": False},
]


def rich(path: Path, form: str = "NETCDF4") -> Path:
    """A packed field beside times, time differences, characters, bounds and coordinates."""
    fill: dict[str, Any] = {"_FillValue": np.int16(-1), "scale_factor": 0.01, "add_offset": 280.0}
    make(path, form=form, kind="i2", coordinates="name height", **fill)
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].set_auto_maskandscale(False)
        file["t2m"][:, 2:4, 5] = -1
        file.createDimension("text", 5)
        file.createVariable("name", "S1", ("text",))[:] = np.array(list("north"), "S1")
        file.createVariable("height", "f4", ())[...] = 2.0
        lead = file.createVariable("lead", "i4", ("time",))
        lead.units = "hours"
        lead[:] = [6, 12]
        file.createDimension("bnds", 2)
        file["time"].bounds = "time_bnds"
        file.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = [[0, 31], [31, 62]]
        if form == "NETCDF4":
            big = file.createVariable("big", ">f4", ("lat",), endian="big", zlib=True)
            big[:] = np.arange(13)
            file.createVariable("word", str, ())[...] = "é"
    return path


def pressed(path: Path) -> tuple[Path, Path]:
    """An archive of a file that needs no model, and the file that it decodes to."""
    model = Model.untrained(COIN(width=4, depth=1, steps=2), ERA5().resolve([path]))
    archive = path.with_suffix(".inrc")
    archive.write_bytes(codec.compress([path], model, 0).data)
    decoded = path.with_name("decoded.nc")
    codec.decompress(archive.read_bytes(), model, decoded)
    return archive, decoded


@pytest.fixture(scope="module", params=["NETCDF4", "NETCDF3_CLASSIC"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An archive, and the file that it decodes to."""
    return pressed(rich(tmp_path_factory.mktemp("engine") / "a.nc", request.param))


def plain(encoding: Any) -> str:
    return repr(sorted((key, value) for key, value in encoding.items() if key != "source"))


def named(options: dict[str, Any]) -> str:
    """Options without the addresses of objects, which differ between processes."""
    return re.sub(r" object at 0x\w+", "", repr(options))


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_decoders_are_those_of_netcdf4(both: tuple[Path, Path], options: dict[str, Any]) -> None:
    archive, decoded = both
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what xarray deprecates
        with (
            xr.open_dataset(decoded, engine="netcdf4", **options) as one,
            xr.open_dataset(archive, engine="inrc", **options) as two,
        ):
            assert list(one.variables) == list(two.variables)
            assert set(one.coords) == set(two.coords) and one.sizes == two.sizes
            assert plain(one.encoding) == plain(two.encoding)
            for name in one.variables:
                assert one[name].dtype == two[name].dtype, name
                assert plain(one[name].encoding) == plain(two[name].encoding), name
                source = str(archive) if "source" in one[name].encoding else None
                assert two[name].encoding.get("source") == source, name
            xr.testing.assert_identical(one.load(), two.load())
            assert two.encoding["source"] == str(archive)


def test_the_engine_is_guessed(both: tuple[Path, Path], tmp_path: Path) -> None:
    archive, decoded = both
    nameless = tmp_path / "archive"
    nameless.write_bytes(archive.read_bytes())
    for path in (archive, str(archive), nameless):
        with xr.open_dataset(path) as opened:
            assert opened["t2m"].encoding["source"] == str(path)
    misnamed = tmp_path / "field.inrc"
    misnamed.write_bytes(decoded.read_bytes())
    with xr.open_dataset(misnamed) as opened:  # NetCDF, by its first bytes
        assert "t2m" in opened


def test_pickled_datasets_decode_elsewhere(
    both: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, decoded = both
    with xr.open_dataset(archive) as opened, xr.open_dataset(decoded) as expected:
        data = pickle.dumps(opened)
        assert len(data) < 100_000 and str(archive).encode() in data
        again = pickle.loads(data)
        xr.testing.assert_identical(again.load(), expected.load())
        opened.load()
        assert pickle.loads(pickle.dumps(opened)).identical(expected)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that an item is decoded."""
    seen: list[int] = []
    lock, real = threading.Lock(), Opened.signal

    def signal(self: Opened, number: int, view: Any) -> Any:
        with lock:
            seen.append(number)
        return real(self, number, view)

    monkeypatch.setattr(Opened, "signal", signal)
    return seen


def test_threads_decode_once_and_see_the_same(both: tuple[Path, Path], count: list[int]) -> None:
    archive, decoded = both
    with xr.open_dataset(decoded) as expected:
        values = expected["t2m"].values
    for _ in range(5):
        count.clear()
        opened = xr.open_dataset(archive, cache=False)
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(lambda n, ds=opened: ds["t2m"][n % 2].values, range(8)))
        assert count == [0]
        for number, part in enumerate(parts):
            assert np.array_equal(part, values[number % 2], equal_nan=True)


def test_dask_reads_chunks(both: tuple[Path, Path], count: list[int]) -> None:
    dask = pytest.importorskip("dask")
    archive, decoded = both
    with (
        warnings.catch_warnings(action="ignore", category=UserWarning),  # of smaller chunks
        dask.config.set(scheduler="threads", num_workers=8),
        xr.open_dataset(archive, chunks={"time": 1, "lon": 7}) as opened,
        xr.open_dataset(decoded) as expected,
    ):
        assert opened["t2m"].chunks == ((1, 1), (13,), (7, 7, 7, 3)) and count == []
        total = (opened["t2m"] - expected["t2m"]).compute()
        assert float(abs(total).max()) == 0.0 and count == [0]
        xr.testing.assert_identical(opened.compute(), expected.load())


def test_opening_decodes_nothing(tmp_path: Path, count: list[int]) -> None:
    archive, _ = pressed(make(tmp_path / "a.nc"))
    count.clear()
    opened = xr.open_dataset(archive)
    assert count == [] and opened["t2m"].shape == (2, 13, 24) and str(opened)
    assert opened["lat"].values[0] == 90.0 and opened["time"].dtype.kind == "M" and count == []


def test_lengths_of_unlimited_dimensions_are_known_without_values(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    make(tmp_path / "grid.nc")
    with netCDF4.Dataset(tmp_path / "grid.nc") as source, netCDF4.Dataset(path, "w") as file:
        file.createDimension("member", None)  # without a coordinate
        for name in ("lat", "lon"):
            file.createDimension(name, len(source[name]))
            file.createVariable(name, "f8", (name,)).units = source[name].units
            file[name][:] = source[name][:]
        file.createVariable("t2m", "f4", ("member", "lat", "lon")).units = "K"
        file["t2m"][:] = source["t2m"][:]
    archive, decoded = pressed(path)
    with xr.open_dataset(archive) as opened, xr.open_dataset(decoded) as expected:
        assert opened.sizes == {"member": 2, "lat": 13, "lon": 24}
        assert opened.encoding["unlimited_dims"] == {"member"}
        xr.testing.assert_identical(opened.load(), expected.load())


def test_another_model_is_named(both: tuple[Path, Path], tmp_path: Path) -> None:
    archive, _ = both
    with pytest.raises(SignalError, match="holds one file; leave out item='x'"):
        xr.open_dataset(archive, engine="inrc", item="x")
    with pytest.raises(ModelError, match="no such model file"):
        xr.open_dataset(archive, engine="inrc", model=tmp_path / "none.safetensors")
