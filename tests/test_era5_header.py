"""What a header holds, how little it costs, and what is refused of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from era5_files import LAT, LON, make
from numpy.typing import NDArray

from inrc.container import packed
from inrc.errors import SignalError
from inrc.signal import Signal
from inrc_modalities.era5 import ERA5, packing
from inrc_modalities.era5.header import Header


def test_files_of_one_data_set_differ_in_little(tmp_path: Path) -> None:
    paths = ERA5().sample(tmp_path, 3, 4)
    model = ERA5().resolve(paths)
    one, two = (dict(model.read(path).meta) for path in paths[:2])
    assert len(packed(one)) < 2000
    time = one["variables"]["time"].pop("data"), two["variables"]["time"].pop("data")
    assert one == two
    assert time[0]["step"] == time[1]["step"] == 6 and time[0]["start"] != time[1]["start"]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(300) * 6 + 10**6,
        np.array([2**63 - 1, -(2**63), 5]),
        np.array([0, 2**64 - 1, 2**63], "u8"),
        np.array([0, 31, 59, 90], "i8"),
        np.linspace(0, 359.75, 1440),
        np.linspace(90, -90, 721).astype("f4"),
        np.array([np.nan, -0.0, np.inf, 1.0]),
        np.array(5.5),
        np.zeros((0, 3), "i2"),
        np.array([["a", "ü"]], object),
        np.array([-1, 0, 1], "i1"),
        np.array([200, 100, 0], "u1"),
        np.arange(12, dtype=">f4").reshape(3, 4),
    ],
)
def test_arrays_pack_exactly(array: NDArray[Any]) -> None:
    kind = "str" if array.dtype == object else array.dtype.str[1:]
    again = packing.unpack(packing.pack(array), kind, array.shape)
    assert again.shape == array.shape and again.dtype == array.dtype.newbyteorder("=")
    assert again.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes() or (
        kind == "str" and again.tolist() == array.tolist()
    )


def test_regular_axes_cost_nothing() -> None:
    for axis in (
        np.linspace(0, 359.75, 1440),
        np.linspace(90, -90, 721).astype("f4"),
        np.arange(90, dtype="f4") * np.float32(0.1),
        np.arange(8760) * 3600,
    ):
        assert set(packing.pack(axis)) == {"start", "step"}


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc", missing=LAT[:, None] * LON[None] > 90, _FillValue=np.float32(0))
    model = ERA5().resolve([path])
    signal = model.read(path)
    meta: Any = signal.meta

    def changed(*keys: str, to: Any) -> dict[str, Any]:
        copy: dict[str, Any] = dict(meta)
        inner = copy
        for key in keys[:-1]:
            inner[key] = dict(inner[key])
            inner = inner[key]
        inner[keys[-1]] = to
        return copy

    for broken in (
        {},
        changed("dims", to=None),
        changed("dims", "time", to=-1),
        changed("dims", "time", to=True),
        changed("dims", "time", to=1 << 40),
        changed("lat", to="nowhere"),
        changed("lead", to=["bnds"]),
        changed("format", to="HDF"),
        changed("suffix", to="/../a"),
        changed("variables", "lat", "data", to={"bytes": b"\x01junk"}),
        changed("variables", "lat", "dtype", to="O"),
        changed("variables", "lon", "data", to={"start": 0.0, "step": float("nan")}),
        changed("variables", "t2m", "dims", to=["lat", "lon"]),
        changed("variables", "t2m", to=[]),
    ):
        with pytest.raises(SignalError, match=r"^era5: "):
            model.shape(broken)
    for broken in (
        changed("variables", "t2m", "mask", to={"kinds": [b"1234"], "shared": [True, True],
                                                "rows": b"\x02short"}),
        changed("variables", "t2m", "mask", to="lat"),
        changed("variables", "t2m", "store", to={"chunks": [1]}),
        changed("variables", "t2m", "attrs", to={"scale_factor": "?"}),
        changed("attrs", to={"a": {"O": 1}}),
        changed("variables", "time", "data", to={}),
    ):  # fmt: skip
        with pytest.raises(SignalError) as refusal:
            model.write(Signal(signal.queries, signal.features, signal.shape, broken),
                        tmp_path / "b.nc")  # fmt: skip
        assert "\n" not in str(refusal.value)
        assert not (tmp_path / "b.nc").exists()


def test_a_header_is_checked_without_reading(tmp_path: Path) -> None:
    path = make(tmp_path / "a.nc")
    header = Header.of(ERA5().resolve([path]).read(path).meta)
    assert header.wraps and header.parts == 2 and header.shape == (2, 13, 24)
    with pytest.raises(SignalError, match="no field 'u'"):
        header.entry("u")
