"""The made-up planet and the DataModule of globes."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from era5_files import make

from inrc.errors import SignalError, UsageError
from inrc_modalities.era5 import ERA5, ERA5DataModule, sample, sphere


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
    data = ERA5DataModule(sample_folder=tmp_path, sample_count=5)
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
    data = ERA5DataModule(whole, hold_dim="time", hold_last=2, sample_folder=tmp_path / "parts")
    data.setup("fit")
    assert data.train_rows is not None and data.val_rows is not None
    assert (len(data.train_rows), len(data.val_rows)) == (3, 2)
    assert data.val_rows.features.max() > 1  # ranges are those of the training part
    with xr.open_dataset(whole) as given, xr.open_dataset(data.val_paths[0]) as held:
        xr.testing.assert_identical(given.isel(time=slice(3, None)), held)
    again = ERA5DataModule(whole, hold_dim="time", hold_last=2, sample_folder=tmp_path / "parts")
    assert again.val_paths == data.val_paths
    for dim, last, said in (("member", 1, "asked for member"), ("time", 5, "hold 1 to 4")):
        with pytest.raises(SignalError, match=said):
            ERA5DataModule(whole, hold_dim=dim, hold_last=last, sample_folder=tmp_path)
    with pytest.raises(UsageError, match=r"data\.hold_dim: needs data\.root to be one file"):
        ERA5DataModule(tmp_path, hold_dim="time")
    with pytest.raises(UsageError, match=r"data\.hold_dim: .*; leave data\.val_root out"):
        ERA5DataModule(whole, hold_dim="time", val_root=tmp_path)
