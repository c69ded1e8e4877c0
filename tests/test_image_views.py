"""Parts of images, and other sizes and regions of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_files import QUICK, decode, noise

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.image import Image
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save


@QUICK
@given(st.integers(1, 30), st.integers(1, 30), st.none() | st.integers(1, 12))
def test_parts_are_asked_as_they_were_cut_and_join_again(
    tmp_path: Path, height: int, width: int, patch: int | None
) -> None:
    path, modality = tmp_path / "a.png", Image(patch)
    save(noise("RGB", 8, height, width), path)
    whole = modality.read(path)
    signal, plan = modality.split(whole), modality.plan_queries(whole.meta, View())
    assert torch.equal(plan.queries, signal.queries)
    assert plan.parts == tuple(range(signal.parts))
    again = modality.join(signal.features, whole.meta, View())
    assert torch.equal(again.features, whole.features) and again.meta == whole.meta
    assert torch.equal(again.queries, whole.queries) and again.shape == (height, width)
    assert modality.num_units(whole.shape) == height * width
    assert type(modality)(**modality.settings()).settings() == modality.settings()


@QUICK
@given(
    st.integers(1, 30), st.integers(1, 30), st.none() | st.integers(1, 12),
    st.none() | st.floats(0.02, 5.0), st.booleans(), st.data(),
)  # fmt: skip
def test_every_pixel_of_a_view_is_asked_where_it_lies(
    tmp_path: Path, height: int, width: int, patch: int | None, scale: float | None,
    cut: bool, data: st.DataObject,
) -> None:  # fmt: skip
    path = tmp_path / "a.png"
    save(noise("RGB", 8, height, width), path)
    rows, columns = (max(1, round(n * (scale or 1.0))) for n in (height, width))
    at = None
    if scale is None and data.draw(st.booleans()):
        rows, columns = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        at = tmp_path / "other.png"
        save(noise("L", 8, rows, columns), at)
    y = (np.arange(rows) + 0.5) * height / rows
    x = (np.arange(columns) + 0.5) * width / columns
    region: tuple[tuple[str, float, float], ...] = ()
    if cut:
        low, high = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
        region = (("y", low, high),)
        y = y[(y >= low) & (y < high)]
    view = View(scale, region, at)
    if not len(y):
        with pytest.raises(SignalError, match="region"):
            decode(Image(patch), path, view, field=True)
        return
    if not view:
        return
    signal = decode(Image(patch), path, view, field=True)
    assert signal.meta["shape"] == [len(y), len(x)] == list(signal.shape)
    where = signal.features.reshape(len(y), len(x), 3)
    assert np.allclose(where[..., 0], np.broadcast_to(y[:, None], where.shape[:2]), atol=1e-4)
    assert np.allclose(where[..., 1], np.broadcast_to(x[None], where.shape[:2]), atol=1e-4)


def test_a_region_asks_only_the_patches_that_it_touches(tmp_path: Path) -> None:
    path, modality = tmp_path / "a.png", Image(8)
    save(noise("RGB", 8, 32, 40), path)
    meta = modality.read(path).meta
    plan = modality.plan_queries(meta, View(region=(("y", 8.0, 16.0), ("x", 9.0, 17.0))))
    assert plan.parts == (6, 7)
    aligned = modality.plan_queries(meta, View(region=(("y", 8.0, 24.0), ("x", 16.0, 24.0))))
    assert aligned.parts == (7, 12)
    assert torch.equal(aligned.queries, grid.coordinates((8, 8))[None])
    cut = decode(modality, path, View(region=(("y", 8.0, 24.0), ("x", 16.0, 24.0))))
    modality.write(cut, tmp_path / "cut.png")
    assert np.array_equal(load(tmp_path / "cut.png").array, load(path).array[8:24, 16:24])


def test_whole_scales_share_one_grid(tmp_path: Path) -> None:
    path, modality = tmp_path / "a.png", Image(8)
    save(noise("RGB", 8, 20, 20), path)
    plan = modality.plan_queries(modality.read(path).meta, View(scale=2.0))
    assert plan.parts == tuple(range(9))
    assert torch.allclose(plan.queries, grid.coordinates((16, 16))[None], atol=1e-6)


@pytest.mark.parametrize(
    "view",
    [View(scale=0.0), View(scale=-1.0), View(scale=float("nan")), View(scale=float("inf")),
     View(region=(("z", 0, 1),)), View(region=(("y", 0, 1), ("y", 0, 1))),
     View(region=(("y", 5, 5),)), View(region=(("x", 99, 120),)), View(region=(("x", 4, 2),)),
     View(region=(("x", float("nan"), 2),)), View(at=Path("nowhere.png"))],
)  # fmt: skip
def test_views_without_sense_are_refused(tmp_path: Path, view: View) -> None:
    path = tmp_path / "a.png"
    save(noise("RGB"), path)
    with pytest.raises(SignalError):
        Image(8).plan_queries(Image(8).read(path).meta, view)
    with pytest.raises(SignalError, match="both"):
        Image(8).plan_queries(Image(8).read(path).meta, View(scale=2.0, at=path))
