"""Grids: coordinates, patches and their exact inverse."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError

QUICK = settings(max_examples=60, deadline=None)


def numbered(shape: tuple[int, ...], channels: int = 1) -> Tensor:
    """An array in which every value is different."""
    size = int(np.prod(shape)) * channels
    return torch.arange(size, dtype=torch.float32).reshape(*shape, channels)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A shape of rank 1 to 4 and a patch of the same rank, which may be larger."""
    rank = draw(st.integers(1, 4))
    length = st.integers(1, {1: 40, 2: 12, 3: 7, 4: 4}[rank])
    return tuple(draw(length) for _ in range(rank)), tuple(draw(length) for _ in range(rank))


@QUICK
@given(layouts(), st.integers(1, 3))
def test_join_undoes_split(layout: tuple[tuple[int, ...], tuple[int, ...]], channels: int) -> None:
    shape, patch = layout
    array = numbered(shape, channels)
    parts = grid.split(array, patch)
    assert parts.shape == (np.prod(grid.counts(shape, patch)), np.prod(patch), channels)
    assert torch.equal(grid.join(parts, shape, patch), array)


@QUICK
@given(layouts())
def test_split_pads_by_reflection(layout: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, patch = layout
    whole = tuple(n * p for n, p in zip(grid.counts(shape, patch), patch, strict=True))
    joined = grid.join(grid.split(numbered(shape), patch), whole, patch)[..., 0]
    widths = [(0, w - n) for w, n in zip(whole, shape, strict=True)]
    assert np.array_equal(joined, np.pad(numbered(shape)[..., 0].numpy(), widths, mode="reflect"))


@QUICK
@given(layouts(), st.data())
def test_crop_is_a_slice_of_the_reflected_grid(
    layout: tuple[tuple[int, ...], tuple[int, ...]], data: st.DataObject
) -> None:
    shape, patch = layout
    starts = data.draw(
        st.lists(st.tuples(*(st.integers(0, n - 1) for n in shape)), min_size=1, max_size=4)
    )
    array = numbered(shape, 2)
    pieces = grid.crop(array, patch, torch.tensor(starts))
    padded = np.pad(array.numpy(), [(0, p) for p in patch] + [(0, 0)], mode="reflect")
    for piece, start in zip(pieces, starts, strict=True):
        window = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        assert np.array_equal(piece, padded[window].reshape(-1, 2))


def test_patches_are_row_major() -> None:
    parts = grid.split(numbered((4, 6)), (2, 3))[..., 0]
    assert parts.tolist() == [
        [0, 1, 2, 6, 7, 8],
        [3, 4, 5, 9, 10, 11],
        [12, 13, 14, 18, 19, 20],
        [15, 16, 17, 21, 22, 23],
    ]


@QUICK
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_coordinates_are_symmetric_cell_centres(shape: list[int]) -> None:
    where = grid.coordinates(tuple(shape)).reshape(*shape, len(shape))
    assert torch.allclose(where, -where.flip(tuple(range(len(shape)))))
    for axis, n in enumerate(shape):
        line = where.movedim(axis, 0)[:, *[0] * (len(shape) - 1), axis].numpy()
        assert np.allclose(line, [-1 + (2 * i + 1) / n for i in range(n)])


def test_coordinates_cover_the_same_extent_at_any_resolution() -> None:
    coarse, fine = grid.coordinates((5,), 0.0, 10.0), grid.coordinates((10,), 0.0, 10.0)
    assert coarse.flatten().tolist() == [1, 3, 5, 7, 9]
    assert torch.allclose(fine.reshape(5, 2).mean(1, keepdim=True), coarse)


@pytest.mark.parametrize("patch", [(2,), (2, 2, 2), (0, 2), (-1, 2)])
def test_a_patch_of_another_rank_or_without_cells_is_refused(patch: tuple[int, ...]) -> None:
    with pytest.raises(SignalError, match="patch"):
        grid.split(numbered((4, 4)), patch)


def test_parts_of_another_grid_are_refused() -> None:
    with pytest.raises(SignalError, match="parts"):
        grid.join(torch.zeros(3, 4, 1), (4, 4), (2, 2))


@QUICK
@given(
    length=st.integers(1, 40),
    patch=st.integers(1, 12),
    step=st.fractions(Fraction(1, 5), 9, max_denominator=50),
)
def test_every_cell_is_asked_once_and_inside_its_patch(
    length: int, patch: int, step: Fraction
) -> None:
    axis = grid.axis("x", length, patch, step, None)
    cells = [cell for run in axis.runs() for cell in range(run.start, run.stop)]
    assert cells == list(range(axis.size))
    assert axis.step == min(step, length)
    local = axis.local()
    assert local.abs().max() <= 1
    for number, run in enumerate(axis.runs()):
        assert run.patch < axis.patches
        row = local[min(number, len(local) - 1)]
        for cell in range(run.start, run.stop):
            centre = (run.patch + (float(row[cell - run.start]) + 1) / 2) * patch
            assert centre == pytest.approx(float((cell + Fraction(1, 2)) * axis.step), abs=1e-4)


@QUICK
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    patch=st.integers(1, 5),
    size=st.integers(1, 20),
)
def test_answers_at_the_centres_make_the_resampled_grid(
    shape: list[int], patch: int, size: int
) -> None:
    axes = [grid.axis(str(n), n, patch, Fraction(n, size)) for n in shape]
    asked, numbers = grid.queries(axes), grid.parts(axes)
    counts = [axis.patches for axis in axes]
    # a field that answers with the place itself, in cells of the whole grid
    place = np.stack(np.unravel_index(np.array(numbers), counts), -1)[:, None]
    cells = (torch.from_numpy(place) + (asked.double() + 1) / 2) * patch
    made = grid.assemble(cells, axes)
    assert made.shape == (*(size for _ in shape), len(shape))
    for k, axis in enumerate(axes):
        line = made.movedim(k, 0)[..., k].reshape(size, -1)
        wanted = (torch.arange(size) + 0.5) * shape[k] / size
        torch.testing.assert_close(
            line, wanted.double()[:, None].expand_as(line), atol=1e-5, rtol=0
        )
        nearest = np.floor((np.arange(size) + 0.5) * shape[k] / size + 1e-9)
        np.testing.assert_array_equal(axis.nearest(), nearest)


def test_a_region_is_half_open_and_says_what_is_wrong() -> None:
    axis = grid.axis("x", 10, 4, Fraction(1), (2.5, 7.5))
    assert (axis.first, axis.last, axis.size) == (2, 7, 5)
    assert grid.axis("x", 10, 4, Fraction(1, 2), (2.5, 7.5)).size == 10
    with pytest.raises(SignalError, match="region x: no voxel between 3 and 3; give an interval"):
        grid.axis("x", 10, 4, Fraction(1), (3, 3), "voxel")
    with pytest.raises(SignalError, match="not finite"):
        grid.axis("x", 10, 4, Fraction(1), (0.0, float("nan")))
    axes = [grid.axis("x", 10, 4, Fraction(1))]
    with pytest.raises(SignalError, match="do not fit the view"):
        grid.assemble(torch.zeros(3, 5, 1), axes)
