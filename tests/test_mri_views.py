"""Volumes: coordinates, and what is asked of the field."""

import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mri_files import QUICK, oblique, ramp, save

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.mri import MRI, blocks
from inrc_modalities.mri.blocks import block, whole
from inrc_modalities.mri.reading import load


def test_a_block_is_as_large_in_millimetres_unless_voxels_are_coarser() -> None:
    for sizes, voxels in [
        ((1.0, 1.0, 1.0), (16, 16, 16)),
        ((0.5, 1.0, 5.0), (32, 16, 16)),
        ((0.9, 0.9, 1.2), (18, 18, 16)),
        ((1.0001, 0.9999, 30.0), (16, 16, 16)),
        ((0.01, 1e-30, 1e30), (32, 32, 16)),  # bounded, whatever a file says
    ]:
        one = block(sizes, 16, 1.0)
        assert one.size == voxels
        expected = grid.coordinates(voxels)
        seen = one.coordinates()
        # as far out as training has voxels, and no farther
        assert torch.equal(seen, expected.clamp(-0.9375, 0.9375))
        assert (seen == expected).all() or max(voxels) > 16
    # the same place in millimetres has the same coordinates, within half a voxel at the edges
    x, y, _ = (
        (block((0.5, 1.0, 1.0), 16, 1.0).coordinates() * 8.0).reshape(32, 16, 16, 3).unbind(-1)
    )
    assert torch.allclose(x[2:-1, 0, 0] - x[1:-2, 0, 0], torch.tensor(0.5), atol=1e-5)
    assert torch.allclose(y[0, 1:, 0] - y[0, :-1, 0], torch.tensor(1.0), atol=1e-5)
    assert block((0.5, 1.0, 5.0), 16, None).size == (16, 16, 16)


@QUICK
@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3), st.integers(1, 16))
def test_no_block_has_fewer_voxels_than_training_has(sizes: list[float], patch: int) -> None:
    # as many latents for fewer voxels would cost more than the voxels
    assert min(block((sizes[0], sizes[1], sizes[2]), patch, 1.0).size) >= patch


def test_micrometres_and_metres_are_understood(tmp_path: Path) -> None:
    for unit, size in [("mm", 2.0), ("micron", 2000.0), ("meter", 0.002)]:
        image = nib.Nifti1Image(ramp(20, 20, 20), np.diag([size, size, size, 1]))
        image.header.set_xyzt_units(unit)
        path = tmp_path / "a.nii"
        path.write_bytes(image.to_bytes())
        assert load(path).header.sizes() == pytest.approx((2.0, 2.0, 2.0))
        assert MRI(16, 4.0).split(MRI(16, 4.0).read(path)).features.shape == (1, 32**3, 1)


def test_coordinates_of_the_whole_are_those_of_the_grid() -> None:
    assert torch.equal(whole((3, 4, 5)), grid.coordinates((3, 4, 5)))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cubes may be asked up to their edges, as only a field that knows everything should be."""
    monkeypatch.setattr(blocks, "limit", lambda patch: 1.0)


def decode(modality: MRI, path: Path, view: View, made: Path) -> "nib.Nifti1Image":
    """A view of a file, as decoded from a field that answers with x + 10 y + 100 z in voxels."""
    signal = modality.read(path)
    header = load(path).header
    cube = block(header.sizes(), modality.patch, modality.spacing)
    plan = modality.plan_queries(signal.meta, view)
    many = cube.counts(header.space)
    place = torch.stack(
        [torch.tensor(p) for p in np.unravel_index(list(plan.parts), (header.volumes, *many))], -1
    ).double()  # P 4
    size = torch.tensor(cube.size).double()
    voxel = (plan.queries.double() + 1) / 2 * size + place[:, None, 1:] * size - 0.5
    answer = (voxel * torch.tensor([1.0, 10.0, 100.0])).sum(-1, keepdim=True)
    answer = answer + 1000.0 * place[:, None, :1]
    low, high = signal.meta["range"]
    modality.write(modality.join(((answer - low) / (high - low)).float(), signal.meta, view), made)
    return nib.load(made)


@pytest.mark.parametrize("spacing", [None, 1.0])
@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 2)])
@pytest.mark.parametrize(
    "view",
    [
        View(scale=2.0),
        View(scale=0.5),
        View(scale=1.3),
        View(region=(("x", 2.0, 7.0), ("z", 1.0, 5.0))),
        View(scale=2.0, region=(("y", 1.5, 6.0),)),
    ],
)
def test_views_show_the_field_where_it_is(
    tmp_path: Path, free: None, view: View, shape: tuple[int, ...], spacing: float | None
) -> None:
    x, y, z = np.mgrid[: shape[0], : shape[1], : shape[2]]
    array = (x + 10.0 * y + 100.0 * z).astype("f4")
    array = np.stack([array, array + 1000], -1) if len(shape) == 4 else array
    array[0, 0, 0], array[-1, -1, -1] = -500, 3000  # room for what lies beyond the centres
    path = save(tmp_path / "a.nii", array, oblique(1.0, 1.5, 2.0))
    image = decode(MRI(4, spacing, 100.0), path, view, tmp_path / "b.nii")
    original = nib.load(path)
    # each voxel knows where it lies, in voxels of the original, through the two affines
    cells = np.stack(np.meshgrid(*map(np.arange, image.shape[:3]), indexing="ij"), -1)
    there = nib.affines.apply_affine(np.linalg.inv(original.affine) @ image.affine, cells)
    expected = there @ [1.0, 10.0, 100.0]
    voxels = np.asanyarray(image.dataobj)
    for t in range(math.prod(shape[3:])):
        shown = voxels[..., t] if len(shape) == 4 else voxels
        assert np.abs(shown - expected - 1000 * t).max() < 0.05
    assert np.allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert np.allclose(image.header.get_zooms()[:3], nib.affines.voxel_sizes(image.affine))
    low, high = there.min(axis=(0, 1, 2)), there.max(axis=(0, 1, 2))
    for name, start, stop in view.region:
        k = "xyz".index(name)
        assert start - 0.5 <= low[k] and high[k] <= stop - 0.5


def test_the_grid_of_another_file_can_be_asked(tmp_path: Path, free: None) -> None:
    path = save(tmp_path / "a.nii", ramp(8, 8, 8))
    other = save(tmp_path / "o.nii.gz", ramp(5, 9, 12))
    image = decode(MRI(4), path, View(at=other), tmp_path / "b.nii")
    assert image.shape == (5, 9, 12)
    signal = MRI(4).read(path)
    for view, reason in [
        (View(scale=2.0, at=other), "give one of them"),
        (View(at=tmp_path / "none.nii"), "no such file"),
        (View(region=(("x", 9.0, 12.0),)), "no voxel"),
        (View(region=(("x", math.nan, 12.0),)), "finite"),
        (View(region=(("x", 0.0, 1.0), ("x", 2.0, 3.0))), "repeated"),
        (View(scale=1e5), "too large"),
        (View(scale=1e300), "too large"),
        (View(scale=-1.0), "above 0"),
    ]:
        with pytest.raises(SignalError, match=reason):
            MRI(4).plan_queries(signal.meta, view)


@pytest.mark.parametrize("view", [View(scale=3.0), View(scale=0.7), View(region=(("x", 1, 7),))])
def test_no_view_asks_beyond_what_training_saw(tmp_path: Path, view: View) -> None:
    path = save(tmp_path / "a.nii", ramp(9, 8, 7))
    assert MRI(4).plan_queries(MRI(4).read(path).meta, view).queries.abs().max() <= 0.75


def test_unknown_voxels_stay_unknown_in_a_view(tmp_path: Path) -> None:
    array = ramp(6, 6, 6, kind="f4")
    array[:3] = np.nan
    path = save(tmp_path / "a.nii", array)
    for view, many in [(View(scale=2.0), 6), (View(region=(("x", 2.0, 5.0),)), 1)]:
        decoded = np.asanyarray(decode(MRI(4), path, view, tmp_path / "b.nii").dataobj)
        assert np.isnan(decoded[:many]).all() and np.isfinite(decoded[many:]).all()
    decoded = decode(MRI(4), path, View(region=(("x", 3.0, 6.0),)), tmp_path / "b.nii")
    assert np.isfinite(decoded.get_fdata()).all()
