"""Scenes: any views of them, and few rays of many."""

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nerf_files import QUICK, truth

from inrc.errors import SignalError
from inrc.signal import View
from inrc.testing import check_modality
from inrc_modalities.nerf import NeRF, header
from inrc_modalities.nerf.cameras import spread


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two scenes of the sample."""
    return NeRF(bound=1.25, frames=6).sample(tmp_path_factory.mktemp("drawn"), 0, 2)


def test_a_turntable_is_rebuilt_from_scenes(drawn: list[Path], tmp_path: Path) -> None:
    check_modality(NeRF(bound=1.25, frames=6), drawn, tmp_path / "law", 0.5 / 255.0, truth)


def test_any_cameras_can_be_asked(tmp_path: Path, drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=6)
    meta = modality.read(drawn[0]).meta
    held = modality.evaluation_view(drawn[0])
    assert held.at is not None and held.at.name == "transforms_test.json"
    plan = modality.plan_queries(meta, held)
    assert plan.queries.shape == (1, 6 * 1024, 7) and plan.parts == (0,)
    signal = modality.join(truth(drawn[0])(plan.queries), meta, held)
    modality.write(signal, tmp_path / "x.json")
    assert modality.measure(drawn[0], tmp_path / "x.json")["psnr"] > 50
    # the turntable is the held-out path of the sample
    torch.testing.assert_close(
        modality.plan_queries(meta, View()).queries, plan.queries, atol=1e-5, rtol=0
    )
    fine = modality.plan_queries(meta, View(scale=2.0, at=held.at, region=(("view", 1.0, 3.0),)))
    assert fine.queries.shape == (1, 2 * 4096, 7)
    coarse = fine.queries[0, :, 3:6].reshape(2, 32, 2, 32, 2, 3).mean((2, 4)).flatten(0, 2)
    torch.testing.assert_close(torch.nn.functional.normalize(coarse),
                               plan.queries[0, 1024:3072, 3:6], atol=1e-5, rtol=0)  # fmt: skip
    alone = shutil.copytree(drawn[0].parent, tmp_path / "alone") / drawn[0].name
    (alone.parent / "transforms_test.json").unlink()
    assert modality.evaluation_view(alone) == View(at=alone)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (View(region=(("view", 0.0, 0.0),)), "no view from 0 to 0"),
        (View(region=(("view", 9.0, 12.0),)), "there are 0 to 6"),
        (View(region=(("view", 0.0, math.inf),)), "not finite"),
        (View(region=(("view", 0.0, 1.0), ("view", 0.0, 2.0))), "repeated"),
        (View(scale=1e9), "more than"),
        (View(scale=-1.0), "above 0"),
        (View(at=Path("nowhere.json")), "nowhere.json: no such file"),
        (View(at=Path("cameras.xyz")), "cameras.xyz: not a scene"),
    ],
)
def test_views_that_make_no_sense(drawn: list[Path], view: View, says: str) -> None:
    modality = NeRF(bound=1.25, frames=6)
    with pytest.raises(SignalError, match=re.escape(says)):
        modality.plan_queries(modality.read(drawn[0]).meta, view)


def test_a_header_is_small_and_hostile_ones_are_refused(drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=6)
    one, two = (dict(modality.read(path).meta) for path in drawn)
    assert one == two, "scenes that were photographed alike cost nothing"
    wrong: list[dict[str, Any]] = [
        {key: value}
        for key, values in {
            "views": [0, 1 << 20, True, 2.0, None, "3"],
            "rays": [0, 1025, 1.0],
            "size": [[32], [32, 1 << 15], "ab", [32, 32.0], None],
            "focal": [0.0, 1e-9, 1e9, math.nan, 51, None],
            "orbit": [None, [1] * 5, [0, 0, 0, 0, 0, 0], [1, 9, 0, 0, 0, 0], [1, 0, 6, 0, 0, 0],
                      [1, 0, 0, 1 << 40, 0, 0], [1, 0, 0, 0.0, 0, 0]],
            "poses": [b"", b"\0" * 48, "x", b"\xff" * 48 * 20],
        }.items()
        for value in values
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(SignalError, match="invalid header"):
            modality.shape(one | change)
    with pytest.raises(SignalError):
        modality.shape({})
    assert header.shape(one) == (20, 204)


@QUICK
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(0, 9))
def test_some_pixels_are_different_and_from_everywhere(pixels: int, count: int, view: int) -> None:
    numbers = spread(pixels, min(count, pixels), view)
    assert len(numbers) == min(count, pixels) and (numbers.diff() > 0).all()
    assert numbers[0] >= 0 and numbers[-1] < pixels
    assert numbers.diff().max() <= 2 * -(-pixels // len(numbers)) if len(numbers) > 1 else True


def test_few_rays_of_many_views_are_kept(drawn: list[Path]) -> None:
    whole, some, least = (NeRF(rays=n).read(drawn[0]) for n in (None, 100, 7))
    assert whole.shape == (20, 1024) and some.shape == (20, 5) and least.shape == (20, 1)
    rays = whole.queries[0].tolist()
    index = [rays.index(ray) for ray in some.queries[0].tolist()]
    assert torch.equal(whole.features[0, index], some.features[0])
    assert [n // 1024 for n in index] == [n for n in range(20) for _ in range(5)]
    assert NeRF().num_units(some.shape) == 20


def test_a_turntable_can_be_watched(tmp_path: Path, drawn: list[Path]) -> None:
    modality = NeRF(bound=1.25, frames=5)
    meta = modality.read(drawn[0]).meta
    view = View(scale=33 / 32)
    queries = modality.plan_queries(meta, view).queries
    signal = modality.join(truth(drawn[0])(queries), meta, view)
    levels = (signal.features * 255 + 0.5).to(torch.uint8).reshape(5, 33, 33, 3).numpy()
    for name, size in (("a.mkv", 33), ("a.MP4", 34)):
        modality.write(signal, tmp_path / name)
        with av.open(str(tmp_path / name)) as file:
            assert file.streams.video[0].average_rate == 12
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        assert len(frames) == 5 and frames[0].shape == (size, size, 3)
        off = np.abs(np.stack(frames)[:, :33, :33].astype(int) - levels)
        assert off.mean() <= (0.0 if name == "a.mkv" else 6.0), name
    modality.write(signal, tmp_path / "b.json")
    said = json.loads((tmp_path / "b.json").read_text())
    assert said["camera_angle_x"] == pytest.approx(2 * math.atan(16.5 / signal.meta["focal"]))
    # as NeRF's own loader has it: the name and .png
    one = PIL.Image.open(tmp_path / (said["frames"][3]["file_path"] + ".png"))
    assert np.array_equal(np.asarray(one), levels[3])
    modality.write(signal, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as arrays:
        assert np.array_equal(arrays["images"], levels) and arrays["poses"].shape == (5, 4, 4)
    with pytest.raises(SignalError, match=r"b\.gif: cannot write"):
        modality.write(signal, tmp_path / "b.gif")
    with pytest.raises(SignalError, match="decode the scene first"):
        modality.write(modality.read(drawn[0]), tmp_path / "c.json")
