"""Bad NetCDF files, and disks that are full."""

import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr
from era5_files import LAT, make

from inrc.errors import SignalError
from inrc_modalities.era5 import ERA5


def bad(folder: Path, kind: str) -> Path:
    """A NetCDF file that has what its name says."""
    path = make(folder / f"{kind}.nc")
    with netCDF4.Dataset(path, "a") as file:
        if kind == "infinite":
            file["t2m"][0, :2, 0] = np.inf
        elif kind == "unknown":
            file["t2m"][:] = np.nan
        elif kind == "unit":
            file["t2m"].units = "degrees"
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
        ("unit", "t2m is in degrees, which cannot be converted to K of the model's t2m"),
        ("group", r"has groups \(inner\)"),
        ("nolat", "no latitude; it must be"),
        ("renamed", "has t, z; the model needs t2m: .*--rename NAME=t2m"),
        ("jumbled", "lat: must rise or fall all the way"),
        ("degrees", "lat: 180 to -180 are not degrees"),
        ("large", "noise: not a field of the model, and too large"),
        ("compound", "c is of a user-defined type"),
        ("curved", "latitude has two or more dimensions, a curvilinear grid"),
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
