"""Measures and pictures of globes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from era5_files import LAT, LON, make

from inrc.errors import SignalError
from inrc_modalities.era5 import ERA5


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
    measures = model.measure(path, worse)
    assert measures["max_error_t2m"] == pytest.approx(0.3 * width, rel=1e-5)
    assert measures["rmse_t2m"] == pytest.approx(width * np.sqrt(0.05), rel=1e-5)
    assert measures["psnr"] == pytest.approx(-10 * np.log10(0.05), rel=1e-5) == measures["psnr_t2m"]
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
