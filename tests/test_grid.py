"""Grids: coordinates, patches and their exact inverse."""

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
    found = grid.join(grid.split(numbered(shape), patch), whole, patch)[..., 0]
    widths = [(0, w - n) for w, n in zip(whole, shape, strict=True)]
    assert np.array_equal(found, np.pad(numbered(shape)[..., 0].numpy(), widths, mode="reflect"))


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
    found = grid.crop(array, patch, torch.tensor(starts))
    padded = np.pad(array.numpy(), [(0, p) for p in patch] + [(0, 0)], mode="reflect")
    for piece, start in zip(found, starts, strict=True):
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
