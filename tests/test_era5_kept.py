"""What is not a field of the model: categories, bounds, measures of cells, types, groups."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr
from era5_files import LAT, LON, assert_stored_alike, make, there_and_back

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import ERA5

DIMS = ("time", "lat", "lon")
CODES = np.random.default_rng(0).choice([0, 1, 2, 4], (2, 13, 24)).astype("i1")


def added(path: Path, *change: Callable[[netCDF4.Dataset], Any]) -> Path:
    """A file of t2m and what else is added to it."""
    make(path)
    with netCDF4.Dataset(path, "a") as file:
        for each in change:
            each(file)
    return path


def codes(kind: str = "i1", **attrs: Any) -> Callable[[netCDF4.Dataset], None]:
    """A variable of random codes, on the grid and at all times."""

    def change(file: netCDF4.Dataset) -> None:
        variable = file.createVariable("qc", kind, DIMS)
        variable.setncatts(attrs)
        variable[:] = CODES

    return change


def cells(file: netCDF4.Dataset) -> None:
    """Bounds, cell measures, a grid mapping, and a scalar coordinate."""
    file.createDimension("bnds", 2)
    for name, half in (("lat", -7.5), ("lon", 7.5)):
        file[name].bounds = f"{name}_bnds"
        bounds = file.createVariable(f"{name}_bnds", "f8", (name, "bnds"))
        bounds[:] = file[name][:][:, None] + [-half, half]
    file.createVariable("areacella", "f4", ("lat", "lon")).setncatts(
        {"standard_name": "cell_area", "units": "m2"}
    )
    area = np.cos(np.deg2rad(LAT))[:, None] * np.ones(24)
    file["areacella"][:] = area
    file.createVariable("crs", "i4", ()).grid_mapping_name = "latitude_longitude"
    file.createVariable("height", "f8", ())[...] = 2.0
    file["t2m"].setncatts(
        {"cell_measures": "area: areacella", "grid_mapping": "crs", "coordinates": "height"}
    )
    file["lon"].setncatts({"valid_range": np.array([0.0, 360.0]), "actual_range": [0.0, 345.0]})
    file.setncatts({"geospatial_lat_min": -90.0, "geospatial_lon_max": 345.0})


@pytest.mark.parametrize(
    ("kind", "attrs"),
    [
        ("i1", {"flag_values": np.array([0, 1, 2, 4], "i1"), "flag_meanings": "a b c d"}),
        ("u1", {"flag_masks": np.array([1, 2, 4], "u1")}),
        ("f4", {"flag_meanings": "a b c d", "units": "1"}),
        ("i1", {"dtype": "bool"}),
        ("i4", {"standard_name": "land_cover_lccs"}),
        ("i2", {"standard_name": "air_temperature status_flag"}),
        ("i2", {"long_name": "soil type"}),
        ("i4", {"units": "1"}),
        ("f4", {"units": "code table (4.201)"}),
    ],
)
def test_categories_come_back_exactly(tmp_path: Path, kind: str, attrs: dict[str, Any]) -> None:
    path = added(tmp_path / "a.nc", codes(kind, **attrs))
    model = ERA5().resolve([path])
    assert model.variables == ["t2m"] and model.losses(path) == []
    signal = model.read(path)
    wrong = signal.features + torch.randn(signal.features.shape)
    model.write(model.join(wrong, signal.meta, View()), tmp_path / "b.nc")
    with netCDF4.Dataset(tmp_path / "b.nc") as back:
        assert np.array_equal(back["qc"][:], CODES) and back["qc"].dtype == kind
    model.write(
        model.join(wrong[:, : 6 * 24], signal.meta, View(region=(("lat", 15, 90),))),
        tmp_path / "c.nc",
    )
    with netCDF4.Dataset(tmp_path / "c.nc") as back:
        assert np.array_equal(back["qc"][:], CODES[:, :6])


def test_categories_are_not_learned_by_name_either(tmp_path: Path) -> None:
    path = added(tmp_path / "a.nc", codes(flag_meanings="a b c d"))
    with pytest.raises(SignalError, match=r"a\.nc: qc is categorical \(flag_meanings\)"):
        ERA5(["t2m", "qc"]).resolve([path])
    counts = added(tmp_path / "b.nc", codes("i4"))  # only their looks speak against it
    assert ERA5(["t2m", "qc"]).resolve([counts]).variables == ["t2m", "qc"]
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].flag_meanings = "warm cold"
    with pytest.raises(SignalError, match="t2m, qc: categories or measures of cells only"):
        ERA5().resolve([path])


def test_what_is_too_large_needs_an_option(tmp_path: Path) -> None:
    path = added(tmp_path / "a.nc", codes(flag_meanings="a b"))
    with pytest.raises(SignalError, match=r"qc: not a field .* \(\d+ bytes\); set max_carried"):
        small = ERA5(max_carried=50).resolve([path])
        small.read(path)
    back = there_and_back(path, max_carried=500)
    assert_stored_alike(path, back, ulps=1)
    with netCDF4.Dataset(path, "a") as file:
        file["t2m"].ancillary_variables = "qc height"
    model = ERA5(max_carried=50, drop=True).resolve([path])
    assert model.losses(path) == ["variable qc (larger than 50 bytes)"]
    with netCDF4.Dataset(there_and_back(path, max_carried=50, drop=True)) as file:
        assert "qc" not in file.variables and file["t2m"].ancillary_variables == "height"


def test_enumerations_come_back(tmp_path: Path) -> None:
    def clouds(file: netCDF4.Dataset) -> None:
        kind = file.createEnumType(np.uint8, "cloud_t", {"clear": 0, "cumulus": 2, "lost": 255})
        file.createVariable("cloud", kind, DIMS, fill_value=255)[:] = np.where(CODES > 1, 2, 0)

    path = added(tmp_path / "a.nc", clouds)
    back = there_and_back(path)
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        assert two["cloud"].datatype.enum_dict == one["cloud"].datatype.enum_dict
        assert two["cloud"].datatype.name == "cloud_t"
        assert np.array_equal(one["cloud"][:], two["cloud"][:])
    with xr.open_dataset(path) as original, xr.open_dataset(back) as decoded:
        dtypes = [data["cloud"].encoding["dtype"] for data in (original, decoded)]
        assert dtypes[0].metadata == dtypes[1].metadata


def test_what_netcdf_has_beyond_variables_is_refused_or_listed(tmp_path: Path) -> None:
    def groups(file: netCDF4.Dataset) -> None:
        file.createGroup("inner").createVariable("x", "f4", ())
        mine = file.createCompoundType(np.dtype([("a", "f4")]), "mine")
        file.createVariable("c", mine, ("time",))
        file.createVariable("s", "f4", ("lat",), compression="szip")

    path = added(tmp_path / "a.nc", groups)
    model = ERA5(["t2m"]).resolve([path])
    with pytest.raises(SignalError, match=r"has groups \(inner\).*drop: true"):
        model.read(path)
    dropping = ERA5(["t2m"], drop=True).resolve([path])
    assert dropping.losses(path) == [
        "group inner", "variable c (user-defined type)", "szip compression of s (becomes zlib)",
    ]  # fmt: skip
    with netCDF4.Dataset(there_and_back(path, drop=True)) as file:
        assert "c" not in file.variables and not file.groups


def test_cells_follow_views_or_are_left_out(tmp_path: Path) -> None:
    path = added(tmp_path / "a.nc", cells)
    model = ERA5().resolve([path])
    assert model.variables == ["t2m"]
    assert_stored_alike(path, there_and_back(path), ulps=1)
    signal = model.read(path)

    def decoded(view: View) -> netCDF4.Dataset:
        points = model.plan_queries(signal.meta, view).queries.shape[1]
        written = tmp_path / "view.nc"
        model.write(model.join(torch.zeros(2, points, 1), signal.meta, view), written)
        return netCDF4.Dataset(written)

    with decoded(View(region=(("lon", -30, 30), ("lat", 0, 90)))) as file:
        assert file["lon"][:].tolist() == [-30, -15, 0, 15]
        assert file["lon_bnds"][:].tolist() == [
            [-37.5, -22.5], [-22.5, -7.5], [-7.5, 7.5], [7.5, 22.5],
        ]  # fmt: skip
        assert file["lat_bnds"][0].tolist() == [97.5, 82.5]
        assert np.allclose(file["areacella"][:, 0], np.cos(np.deg2rad(LAT[:7])), atol=1e-6)
        assert file["t2m"].cell_measures == "area: areacella"
        assert not {"valid_range", "actual_range"} & set(file["lon"].ncattrs())
        assert "title" in file.ncattrs()
        assert not {"geospatial_lat_min", "geospatial_lon_max"} & set(file.ncattrs())
    with decoded(View(scale=2.0)) as file:
        assert not {"lat_bnds", "lon_bnds", "areacella"} & set(file.variables)
        assert (
            "bounds" not in file["lat"].ncattrs() and "cell_measures" not in file["t2m"].ncattrs()
        )
        assert file["t2m"].grid_mapping == "crs" and file["height"][...] == 2.0
        assert file["lon"].valid_range.tolist() == [0, 360]
    coarse = make(tmp_path / "coarse.nc", LAT[1:-1:2] + 1, LON[::3] + 2)
    with decoded(View(at=coarse)) as file:
        assert "areacella" not in file.variables and file["t2m"].coordinates == "height"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("stations", "latitude and longitude share the dimension cell: stations, a track, or the"),
        ("rotated", "its grid has a rotated pole"),
        ("projected", "its grid has the projection lambert_conformal_conic"),
        ("mapped", "t2m has the grid mapping rotated_latitude_longitude"),
        ("curved", "latitude has two or more dimensions, a curvilinear grid"),
    ],
)
def test_other_grids_are_refused_in_one_true_line(tmp_path: Path, kind: str, said: str) -> None:
    path = tmp_path / f"{kind}.nc"
    dims = {"time": 2, "cell": 20} if kind == "stations" else {"time": 2, "y": 6, "x": 8}
    with netCDF4.Dataset(path, "w") as file:
        for name, size in dims.items():
            file.createDimension(name, size)
        grid = tuple(dims)[1:]
        variable = file.createVariable("t2m", "f4", tuple(dims))
        variable[:] = 280.0
        if kind in ("stations", "curved", "mapped"):
            for name, unit, dim in (("lat", "degrees_north", 0), ("lon", "degrees_east", -1)):
                on = grid if kind == "curved" else (grid[dim],)
                made = file.createVariable(name, "f8", on)
                made.units = unit
                made[:] = np.linspace(0, 40, made.size).reshape(made.shape)
        if kind in ("rotated", "mapped", "projected"):
            called = "lambert_conformal_conic" if kind == "projected" else None
            mapping = file.createVariable("crs", "i4", ())
            mapping.grid_mapping_name = called or "rotated_latitude_longitude"
            variable.grid_mapping = "crs"
    with pytest.raises(SignalError, match=f"{kind}.nc: {said}") as refusal:
        ERA5().resolve([path])
    assert "\n" not in str(refusal.value)
    assert "only grids whose rows are latitudes" in str(refusal.value)
