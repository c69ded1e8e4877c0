"""Parts of an archive as NetCDF files to train on: read lazily, written once."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from inrc.errors import SignalError, one_line
from inrc_modalities.era5 import sources
from inrc_modalities.era5.axes import NAMES
from inrc_modalities.era5.presets import Preset

TIMES = ("time", "valid_time", "forecast_reference_time")
"""What archives call the dimension along which they are cut, the first that is there."""
MAX_VALUES = 1 << 28
"""Values that are in memory at once, at most, before the grid is thinned: 1 GiB of float32."""


@dataclass(frozen=True)
class Choice:
    """What is wanted of an archive.

    Args:
        variables: names; None takes all that lie on the grid.
        select: for some dimensions the coordinates to keep, {"level": [500, 850]}.
        start: first time, as text that xarray understands: 1979, 2016-01-01T06.
        stop: last time, itself included: 2020 ends with that year.
        every: stride in time.
        thin: stride in rows and columns.
        keys: of a GRIB file, the messages to take.
        steps: times per file.
    """

    variables: tuple[str, ...] | None = None
    select: Mapping[str, Sequence[float]] | None = None
    start: str | None = None
    stop: str | None = None
    every: int = 1
    thin: int = 1
    keys: Mapping[str, Any] | None = None
    steps: int = 8


def slices(source: str, choice: Choice, folder: Path, preset: Preset | None = None) -> list[Path]:
    """Write what is chosen as NetCDF files below `folder`, or leave those that are there.

    A folder belongs to one source and one choice; files are in the order of time. Remote stores
    are read only where a file is still missing.

    Raises:
        SignalError: a source that cannot be opened, or a choice that selects nothing.
    """
    if min(choice.every, choice.thin, choice.steps) < 1:
        raise SignalError(f"{source}: every, thin and steps are 1 or more")
    with sources.opened(source, choice.keys) as opened:
        data = _chosen(opened, choice, preset, source)
        time = next((name for name in TIMES if name in data.dims), None)
        key = json.dumps([_state(source), asdict(choice), preset and asdict(preset)])
        stem = Path(source.rstrip("/").rpartition("/")[2]).stem or "source"
        folder = folder / f"{stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        count = 1 if time is None else data.sizes[time]
        if not count:
            raise SignalError(f"{source}: no time from {choice.start} to {choice.stop}")
        starts = range(0, count, choice.steps)
        paths = [folder / f"{start:08d}.nc" for start in starts]
        missing = [
            (start, path) for start, path in zip(starts, paths, strict=True) if not path.is_file()
        ]
        try:
            _write(data, time, missing, choice.steps)
        except SignalError:
            raise
        except Exception as error:
            # a store may be cut short, a connection may break, a disk may be full
            reason = one_line(error)
            raise SignalError(f"{source}: cannot be read or copied ({reason:.120})") from None
    return paths


def _chosen(data: xr.Dataset, choice: Choice, preset: Preset | None, where: str) -> xr.Dataset:
    """The part of a data set that is wanted, still unread."""
    lat, lon = (_axis(data, axis, where) for axis in ("lat", "lon"))
    names = list(choice.variables or ())
    if preset is not None and not names:
        names = [preset.variable(data, where)]
    names = names or [
        str(name) for name, each in data.data_vars.items() if {lat, lon} <= set(each.dims)
    ]
    absent = [name for name in names if name not in data]
    if absent or not names:
        known = ", ".join(str(name) for name in data.data_vars)
        raise SignalError(f"{where}: has {known or 'nothing'}; asked for {', '.join(absent)}")
    data = data[names]
    try:
        data = data.sel({name: list(each) for name, each in (choice.select or {}).items()})
        time = next((name for name in TIMES if name in data.dims), None)
        if time is not None:
            data = data.sel({time: slice(choice.start, choice.stop)}).isel(
                {time: slice(None, None, choice.every)}
            )
    except (KeyError, ValueError, TypeError) as error:
        reason = one_line(error)
        raise SignalError(f"{where}: cannot select that ({reason:.120})") from None
    rows, columns = choice.thin, choice.thin
    if preset is not None:
        rows, columns = preset.steps(data.sizes[lat], data.sizes[lon], where)
    return data.isel({lat: slice(None, None, rows), lon: slice(None, None, columns)})


def _axis(data: xr.Dataset, axis: str, where: str) -> str:
    """The dimension of latitude or longitude."""
    for name in data.dims:
        if str(name).lower() in NAMES[axis]:
            return str(name)
    dims = ", ".join(str(name) for name in data.dims)
    wanted = " or ".join(sorted(NAMES[axis]))
    raise SignalError(f"{where}: has dimensions {dims}, but none called {wanted}")


def _write(data: xr.Dataset, time: str | None, missing: list[tuple[int, Path]], steps: int) -> None:
    from tqdm import tqdm

    block = _block(data, time, steps)
    held: tuple[int, xr.Dataset] | None = None
    for start, path in tqdm(missing, desc="slices", disable=None, leave=False, delay=1):
        if time is None:
            part = data.load()
        else:
            first = start // block * block
            if held is None or held[0] != first:
                held = None  # one block at a time
                held = (first, data.isel({time: slice(first, first + block)}).load())
            part = held[1].isel({time: slice(start - first, start - first + steps)})
        # other processes may write the same
        part_path = path.with_name(f"{path.name}.{os.getpid()}.part")
        _plain(part).to_netcdf(part_path, engine="netcdf4")
        os.replace(part_path, path)


def _block(data: xr.Dataset, time: str | None, steps: int) -> int:
    """Times that are read together: whole chunks of the store, if memory allows."""
    sizes = [steps]
    for each in data.data_vars.values():
        if time in each.dims:
            chunks = each.encoding.get("preferred_chunks", {})
            sizes.append(int(chunks.get(time, 1)))
    times = 1 if time is None else max(1, data.sizes[time])
    each_time = max(1, sum(each.size for each in data.data_vars.values()) // times)
    most = max(steps, MAX_VALUES // each_time)
    return max(steps, min(max(sizes), most) // steps * steps)


def _plain(data: xr.Dataset) -> xr.Dataset:
    """Without the chunks and filters of the archive, which NetCDF may not have."""
    data = data.drop_encoding()
    for name, each in data.variables.items():
        if each.dtype.kind == "f":
            # coordinates have no missing values; fields have them only where there are some
            holes = name in data.data_vars and bool(np.isnan(each.values).any())
            each.encoding["_FillValue"] = each.dtype.type("nan") if holes else None
    return data


def _state(source: str) -> list[Any]:
    """What tells one state of a source from another; of a store, only its name."""
    if sources.remote(source):
        return [source]
    path = Path(source).resolve()
    state = path.stat()
    return [str(path), *([state.st_size] if path.is_file() else []), state.st_mtime_ns]
