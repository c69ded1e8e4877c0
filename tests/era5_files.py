"""NetCDF files that tests of globes make and compare."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.signal import View
from inrc_modalities.era5 import ERA5

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
