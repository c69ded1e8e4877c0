"""Units and names of variables that differ from the model's."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from era5_files import LAT, LON, make, smooth

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import ERA5
from inrc_modalities.era5.units import conversion


@pytest.mark.parametrize(
    ("source", "target", "value", "converted"),
    [
        ("degC", "K", 20.0, 293.15),
        ("degrees_celsius", "Kelvin", -40.0, 233.15),
        ("°C", "degF", 100.0, 212.0),
        ("Fahrenheit", "celsius", 32.0, 0.0),
        ("hPa", "Pa", 1013.25, 101325.0),
        ("mbar", "kPa", 500.0, 50.0),
        ("mm", "m", 7.0, 0.007),
        ("cm", "mm", 2.5, 25.0),
        ("m s-1", "m/s", 3.0, 3.0),
        ("m s**-1", "km/h", 10.0, 36.0),
        ("knots", "m s-1", 100.0, 51.44444444),
        ("g kg-1", "kg kg**-1", 12.0, 0.012),
        ("kg kg-1", "%", 0.25, 25.0),
        ("(0 - 1)", "1", 0.5, 0.5),
        ("m**2 s**-2", "m2 s-2", 9.8, 9.8),
        ("m^2/s^2", "J kg-1", 9.8, 9.8),
        ("mm/day", "kg m-2 s-1", 86400.0, 1.0),
        ("kg m**-2 s**-1", "mm h-1", 1.0, 3600.0),
        ("m of water equivalent", "kg m-2", 0.002, 2.0),
        ("W m-2", "J m-2 s-1", 7.0, 7.0),
        ("K/km", "degC m-1", 6.5, 0.0065),
        ("m s⁻¹", "kt", 1852 / 3600, 1.0),
    ],
)
def test_units_are_converted(source: str, target: str, value: float, converted: float) -> None:
    pair = conversion(source, target)
    back = conversion(target, source)
    assert pair is not None and back is not None
    assert pair[0] * value + pair[1] == pytest.approx(converted, rel=1e-9, abs=1e-9)
    assert back[0] * converted + back[1] == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("W m-2", "J m-2"), ("K", "m"), ("", "K"), ("furlong", "m"), ("degree", "1"),
        ("mol mol-1", "kg kg-1"), ("ppm", "1"), ("m-1", "m"), ("m s-1 -", "m s-1"),
    ],
)  # fmt: skip
def test_other_quantities_are_not_converted(source: str, target: str) -> None:
    assert conversion(source, target) is None and conversion(target, source) is None


def test_equal_and_unknown_units_are_the_same() -> None:
    assert conversion("furlong", "furlong ") == (1.0, 0.0) and conversion("", "") == (1.0, 0.0)
    assert conversion("degC", "K", difference=True) == (1.0, 0.0)


def celsius(path: Path, name: str = "temp", **attrs: str) -> Path:
    """The fields of `make` in degrees Celsius, packed, under another name."""
    make(path, kind="i2", scale_factor=0.01, add_offset=7.0)
    with netCDF4.Dataset(path, "a") as file:
        if name != "t2m":
            file.renameVariable("t2m", name)
        file[name].setncatts({"units": "degC", **attrs})
        file[name].set_auto_maskandscale(True)
        file[name][:] = np.stack([smooth(LAT, LON, time) for time in range(2)]) - 273.15
    return path


def test_a_file_comes_back_with_its_own_name_and_unit(tmp_path: Path) -> None:
    model = ERA5().resolve([make(tmp_path / "model.nc")])
    path = celsius(tmp_path / "a.nc")
    with pytest.raises(SignalError, match=r"has temp; the model needs t2m: .*--rename NAME=t2m"):
        model.read(path)
    renamed = model.renamed({"temp": "t2m"})
    assert ERA5(**renamed.settings()).settings() == renamed.settings()
    signal = renamed.read(path)
    kelvins = model.read(tmp_path / "model.nc").features
    assert model.ranges is not None
    assert np.allclose(signal.features, kelvins, atol=0.006 / np.ptp(model.ranges[0]))
    # the model that decodes knows nothing of the names of the file
    back = tmp_path / "back.nc"
    model.write(model.join(signal.features, signal.meta, View()), back)
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        assert list(one.variables) == list(two.variables)
        assert two["temp"].units == "degC" and two["temp"].dtype == np.int16
        assert np.array_equal(one["temp"][:], two["temp"][:])
    measures = renamed.measure(path, back)
    assert measures["rmse_temp"] == 0.0 and measures["psnr"] == np.inf
    north = signal.features.reshape(2, 13, 24, 1)[:, :7].reshape(2, -1, 1)
    half = renamed.join(north, signal.meta, View(region=(("lat", 0, 90),)))
    assert renamed.physical(half).keys() == {"temp"}


def test_units_alone_need_no_option(tmp_path: Path) -> None:
    model = ERA5().resolve([make(tmp_path / "model.nc")])
    path = celsius(tmp_path / "a.nc", "t2m")
    back = tmp_path / "back.nc"
    model.write(model.read(path), back)
    with netCDF4.Dataset(path) as one, netCDF4.Dataset(back) as two:
        assert two["t2m"].units == "degC" and np.array_equal(one["t2m"][:], two["t2m"][:])
    both = ERA5().resolve([path, tmp_path / "model.nc"])  # of the first file
    assert both.units == ["degC"] and both.ranges is not None
    ends = 280 - 273.15 + np.sqrt(434) * np.array([-1, 1]) + [0, 1]  # of `smooth`
    assert both.ranges[0] == pytest.approx(ends, abs=0.05)
    apart = celsius(tmp_path / "b.nc", "t2m", units_metadata="temperature: difference")
    assert model.read(apart).features.max() < -2  # 20 K apart, not 293 K


def test_names_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = ERA5().resolve([make(tmp_path / "model.nc")])
    with pytest.raises(SignalError, match="cannot rename temp to TS; the model has t2m"):
        model.renamed({"temp": "TS"})
    with pytest.raises(SignalError, match="give each variable one name"):
        model.renamed({"a": "t2m", "b": "t2m"})
    path = make(tmp_path / "a.nc", units="W m-2")
    with pytest.raises(
        SignalError, match=r"a\.nc: t2m is in W m-2, which cannot be converted to K"
    ):
        model.read(path)


def test_training_files_may_differ_in_names(tmp_path: Path) -> None:
    paths = [make(tmp_path / "a.nc"), celsius(tmp_path / "b.nc")]
    model = ERA5(rename={"temp": "t2m"}).resolve(paths)
    assert model.variables == ["t2m"] and model.units == ["K"]
    one, two = (model.read(path).features for path in paths)
    assert np.allclose(one, two, atol=1e-3)
