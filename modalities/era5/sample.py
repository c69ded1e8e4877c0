"""A made-up planet with the look and the statistics of a reanalysis, drawn from a seed.

All noise on the sphere is a sum of real spherical harmonics with an angular power spectrum of
choice. The flow has the spectrum of the large-scale atmosphere, about k^-3 beyond the wavenumbers
of the storms (Nastrom & Gage 1985), and drifts eastwards wave by wave; temperature adds the sun,
land and sea, mountains at the lapse rate of the standard atmosphere, and snow-cold winters.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_harm_y

from inrc.files import write_samples

Grid = NDArray[np.float64]

HEIGHT, WIDTH = 46, 90  # COIN++'s grid for ERA5: 721 by 1440, every 16th
STEPS, HOURS = 6, 6  # time steps of a file, hours between them
_DEGREES = 36  # of the harmonics; the grid resolves 45
_EPOCH = 1_016_832  # hours from 1900-01-01 to 2016-01-01
_YEAR = 8766.0  # hours
_LAPSE = 6.5e-3  # K/m, ICAO standard atmosphere
_VERSION = 1  # of the planets: raise it when they change, so that old samples are drawn anew
_STORMS = 6.0  # wavenumber of most energy
_ABOUT = {
    "t2m": ("2 metre temperature", "K", "air_temperature"),
    "z500": ("Geopotential at 500 hPa", "m**2 s**-2", "geopotential"),
}


@dataclass(frozen=True)
class Planet:
    """What does not change: 46 by 90 each."""

    land: Grid
    """0 open sea, 1 inland."""
    height: Grid
    """m above the sea."""
    texture: Grid
    """Soils and currents, variance about 1."""


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` files spread over one year.

    File i depends on the seed, on i, and on the number of files it shares the year with.
    """
    paths = [folder / f"planet-{seed}-{i:04d}.nc" for i in range(count)]
    # validation takes the last files by name, so names must not sort by season
    days = np.random.default_rng((seed, count)).permutation(count)

    def write_one(i: int, path: Path) -> None:
        start = _EPOCH + round(_YEAR * int(days[i]) / count / HOURS) * HOURS
        hours = start + HOURS * np.arange(STEPS)
        _save(path, hours, *weather(create(seed), seed, hours))

    settings = {"version": _VERSION, "seed": seed}
    return write_samples(folder / f"planet-{seed}.json", paths, settings, write_one)


@lru_cache(maxsize=1)
def create(seed: int) -> Planet:
    """Continents, mountains and soils of a planet, 30 % of its area land."""
    rng = np.random.default_rng((seed, 0))
    shape = _noise(rng, 2.4, 2)
    phi = np.deg2rad(_latitudes())[:, None]
    rank = np.argsort(shape, axis=None)
    share = np.cumsum(np.broadcast_to(np.cos(phi), shape.shape).reshape(-1)[rank])
    level = shape.reshape(-1)[rank[np.searchsorted(share, 0.7 * share[-1])]]
    above = (shape - level) / shape.std()
    land = 1.0 / (1.0 + np.exp(-above / 0.08))
    ridges = 1.0 - np.abs(_noise(rng, 2.0, 4))  # crests where noise crosses 0
    height = land * (300.0 + 600.0 * np.maximum(above, 0) + 2600.0 * np.clip(ridges, 0, 1) ** 4)
    ice = np.clip((np.abs(np.sin(phi)) - 0.92) / 0.06, 0, 1)  # an ice sheet where land is polar
    return Planet(land, height + 1500.0 * land * ice, _noise(rng, 2.0, 3))


def weather(planet: Planet, seed: int, hours: NDArray[np.int64]) -> tuple[Grid, Grid]:
    """Temperature at 2 m in K and geopotential at 500 hPa in m² s⁻², T H W each."""
    phi = np.deg2rad(_latitudes())[:, None]
    season = 2.0 * np.pi * ((hours / _YEAR) % 1.0)[:, None, None]
    # warmest four weeks after the solstice on land, ten weeks after it at sea
    on_land, at_sea = (-np.cos(season - lag) for lag in (0.29, 1.03))
    flow = _flow(seed, hours)
    storms = np.clip(np.sin(2.0 * np.abs(phi)), 0.15, 1.0)  # weakest in the tropics
    # zonal mean, equator to pole, and the yearly swing, after ERA5's climatology
    mean = 299.5 - 20.0 * np.sin(phi) ** 2 - 28.0 * np.sin(phi) ** 4
    swing = np.sin(phi) * (0.35 + 0.65 * np.abs(np.sin(phi)))
    local = (_longitudes()[None] / 15.0 + (hours % 24)[:, None])[:, None] - 15.0
    day = np.clip(np.cos(phi) + 0.4 * np.sin(phi) * on_land, 0.0, 1.0)  # none in the polar night
    t2m = (
        mean
        + swing * ((22.0 * on_land) * planet.land + (5.0 * at_sea) * (1.0 - planet.land))
        - _LAPSE * planet.height
        + planet.texture * (1.0 + planet.land)
        + 5.5 * day * planet.land * np.cos(2.0 * np.pi * local / 24.0)
        + flow[0] * storms * (3.0 + 3.5 * planet.land)
    )
    # sea water freezes: the air above it is hardly colder, until there is ice
    frozen = np.clip((271.35 - t2m) / 8.0, 0.0, 1.0)
    t2m = t2m + (1.0 - planet.land) * 0.35 * frozen * (271.35 - t2m)
    z500 = (
        57_400.0
        - 7_200.0 * np.sin(phi) ** 2
        + 1_500.0 * np.sin(phi) * np.abs(np.sin(phi)) * at_sea
        + 1_000.0 * storms * flow[1]
    )
    return t2m, z500


def _flow(seed: int, hours: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two related fields of waves 2 T H W with variance 1 that drift east at about 10 m/s.

    Each harmonic turns at its own speed and has its own slow tide, so that shapes change.
    """
    rng = np.random.default_rng((seed, 1))
    basis, degree, order = _harmonics()
    size = (2, len(degree))
    spectrum = _spectrum(degree)
    # large waves live for weeks, storms for days
    turn = 2.0 * np.pi / 24.0 / rng.uniform(4.0, 24.0, size) * np.sqrt(degree / _STORMS)
    drift = np.deg2rad(0.35) * order * rng.uniform(0.6, 1.4, size)  # 10 m/s are 0.35° per hour
    place = rng.uniform(0.0, 2.0 * np.pi, size)
    phase = rng.uniform(0.0, 2.0 * np.pi, (2, *size))
    amplitude = rng.rayleigh(np.sqrt(0.5), (2, *size))  # of variance 1 in sum, over a long time
    time = (hours - _EPOCH).astype(np.float64)[:, None, None]
    slow = sum(
        a * np.cos(sign * turn * time + p)
        for a, p, sign in zip(amplitude, phase, (1.0, -1.0), strict=True)
    )
    angle = drift * time + place
    weight = slow * np.sqrt(spectrum)  # T 2 N
    waves = np.stack([weight * np.cos(angle), weight * np.sin(angle)], axis=-1)  # T 2 N 2
    field = np.einsum("tvnc,nchw->vthw", waves, basis, optimize=True)
    # warm air is thick: ridges are warm
    return np.stack([0.75 * field[1] + 0.66 * field[0], field[1]])


def _spectrum(degree: NDArray[np.float64]) -> NDArray[np.float64]:
    """Variance of each harmonic: degree k holds about k^-3 beyond the storms, in sum 1."""
    power = degree / (1.0 + (degree / _STORMS) ** 4)
    each: NDArray[np.float64] = power / (2 * degree + 1)
    return np.asarray(each / each.sum())


def _noise(rng: np.random.Generator, slope: float, first: int) -> Grid:
    """Still noise whose degree k, from `first`, holds k^-slope; variance 1."""
    basis, degree, _ = _harmonics()
    power = np.where(degree >= first, degree ** (-slope) / (2 * degree + 1), 0.0)
    weights = rng.normal(size=(len(degree), 2)) * np.sqrt(power / power.sum())[:, None]
    field: Grid = np.einsum("nc,nchw->hw", weights, basis, optimize=True)
    return np.asarray(field / field.std())


@lru_cache(maxsize=1)
def _harmonics() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cosine and sine harmonics N 2 H W of mean square 1, their degrees and orders, degree ≥ 1."""
    pairs = [(k, m) for k in range(1, _DEGREES + 1) for m in range(k + 1)]
    degree, order = np.array(pairs).T
    theta = np.deg2rad(90.0 - _latitudes())
    # at longitude 0 a harmonic is real: its dependence on latitude
    along = sph_harm_y(degree[:, None], order[:, None], theta[None], 0.0).real  # N H
    along = along * np.where(order == 0, 1.0, np.sqrt(2.0))[:, None] * np.sqrt(4.0 * np.pi)
    around = np.deg2rad(order[:, None] * _longitudes()[None])  # N W
    basis = along[:, None, :, None] * np.stack([np.cos(around), np.sin(around)], 1)[:, :, None]
    return basis, degree.astype(np.float64), order.astype(np.float64)


def _latitudes() -> NDArray[np.float64]:
    return np.linspace(90.0, -90.0, HEIGHT)


def _longitudes() -> NDArray[np.float64]:
    return 360.0 * np.arange(WIDTH) / WIDTH


def _save(path: Path, hours: NDArray[np.int64], *fields: Grid) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts({"Conventions": "CF-1.10", "title": "A made-up planet, not observations"})
        axes = {
            "time": (hours.astype("i4"), "time", "hours since 1900-01-01 00:00:00"),
            "lat": (_latitudes().astype("f4"), "latitude", "degrees_north"),
            "lon": (_longitudes().astype("f4"), "longitude", "degrees_east"),
        }
        for name, (values, standard, units) in axes.items():
            file.createDimension(name, None if name == "time" else len(values))
            axis = file.createVariable(name, values.dtype, (name,))
            axis.setncatts({"standard_name": standard, "long_name": standard, "units": units})
            if name == "time":
                axis.calendar = "gregorian"
            axis[:] = values
        for (name, (long_name, units, standard)), values in zip(
            _ABOUT.items(), fields, strict=True
        ):
            variable = file.createVariable(
                name, "f4", tuple(axes), compression="zlib", complevel=4, shuffle=True
            )
            variable.setncatts({"long_name": long_name, "units": units, "standard_name": standard})
            variable[:] = values.astype("f4")
