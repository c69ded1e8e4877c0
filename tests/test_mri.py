"""Volumes: NIfTI files to signals and back, views, quality, and the codecs beside them."""

import gzip
import math
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from skimage.metrics import structural_similarity

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc.testing import check_file, check_modality
from inrc_modalities.mri import MRI, blocks, masks, quality
from inrc_modalities.mri.blocks import block, whole
from inrc_modalities.mri.header import EXTRA_LIMIT, FIELDS, SIZES, TYPES, Header
from inrc_modalities.mri.reading import load
from inrc_modalities.mri.scaling import ends

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DIM, DESCRIP, DATATYPE, SFORM_CODE, SROW_X = (
    str((FIELDS[1].names or ()).index(name))
    for name in ("dim", "descrip", "datatype", "sform_code", "srow_x")
)
REAL = sorted((Path(__file__).parents[2] / "shared" / "data" / "mri").glob("stroke_t?_*.nii.gz"))


def ramp(*shape: int, kind: str = "i2") -> np.ndarray:
    """Every voxel its own number, as far as the type reaches."""
    many = math.prod(shape)
    values = np.arange(many, dtype=np.float64) * min(1.0, 120 / many if kind == "i1" else 1.0)
    return (values % 250 if kind == "u1" else values).reshape(shape).astype(kind)


def oblique(*sizes: float) -> np.ndarray:
    """An affine with voxels of these sizes, turned about two axes."""
    a, b = 0.3, -0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn * sizes
    affine[:3, 3] = [-12.5, 30.25, 7.0]
    return affine


def save(path: Path, array: np.ndarray, affine: np.ndarray | None = None, **fields: object) -> Path:
    """A file that nibabel writes; a field may be set behind its back."""
    place = oblique(1.0, 1.5, 2.0) if affine is None else affine
    image = nib.Nifti1Image(array, place, dtype=array.dtype)
    image.header.set_xyzt_units("mm", "sec")
    content = bytearray(image.to_bytes())
    if fields:
        header = np.frombuffer(content, image.header.template_dtype, 1)[0]
        for name, value in fields.items():
            header[name] = value
    path.write_bytes(gzip.compress(bytes(content)) if path.name.endswith(".gz") else content)
    return path


def back(modality: MRI, path: Path, folder: Path) -> Path:
    """What a codec without loss makes of a file."""
    folder.mkdir(exist_ok=True)
    signal = modality.read(path)
    pieces = modality.split(signal)
    modality.write(modality.join(pieces.features, signal.meta, View()), folder / path.name)
    return folder / path.name


def same_header(a: Path, b: Path) -> None:
    """Two files differ in nothing but their voxels, to the last bit."""
    raw = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in (a, b)]
    start = int(nib.load(a).dataobj.offset)
    assert raw[0][:start] == raw[1][:start] and len(raw[0]) == len(raw[1])


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", sorted(TYPES.values()))
def test_every_type_of_voxel_comes_back(tmp_path: Path, kind: str, suffix: str) -> None:
    array = ramp(5, 6, 7, kind=kind)
    path = save(tmp_path / f"a{suffix}", array)
    made = back(MRI(4, percentile=100.0), path, tmp_path / "b")
    same_header(path, made)
    image = nib.load(made)
    assert image.get_data_dtype() == np.dtype(kind)
    found = np.asanyarray(image.dataobj)
    if kind[0] == "f":
        assert np.abs(found - array).max() < 1e-4 * array.max()
    else:
        assert np.array_equal(found, array)


def test_header_fields_come_back_to_the_last_bit(tmp_path: Path) -> None:
    image = nib.Nifti1Image(ramp(4, 5, 6), oblique(0.9, 1.1, 3.0))
    image.set_qform(oblique(0.9, 1.1, 3.0), 3)
    image.set_sform(oblique(1.0, 1.0, 3.1), 4)
    head = image.header
    head.set_xyzt_units("micron", "msec")
    head["descrip"], head["aux_file"], head["intent_name"] = b"made \xff up", b"x\0y", b"none"
    head["cal_max"], head["toffset"], head["dim_info"] = 3.7, np.nan, 57
    head["slice_code"], head["slice_end"], head["glmin"] = 3, 5, -9
    head.set_slope_inter(0.037, -12.5)
    extension = nib.nifti1.Nifti1Extension("comment", b"taken on a Tuesday")
    head.extensions.append(extension)
    path = tmp_path / "a.nii"
    path.write_bytes(image.to_bytes())
    made = back(MRI(4), path, tmp_path / "b")
    same_header(path, made)
    found = nib.load(made)
    assert found.header.extensions[0].get_content() == extension.get_content()
    assert np.array_equal(found.affine, nib.load(path).affine)
    assert (found.dataobj.slope, found.dataobj.inter) == pytest.approx((0.037, -12.5))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_and_byte_orders_come_back(tmp_path: Path, version: int, order: str) -> None:
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2"))
    image = kind(ramp(5, 4, 3), oblique(1, 1, 1), header)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(image.to_bytes()))
    made = back(MRI(3), path, tmp_path / "b")
    same_header(path, made)
    found = nib.load(made)
    assert type(found) is kind and found.header.endianness == order
    assert np.array_equal(np.asanyarray(found.dataobj), ramp(5, 4, 3))


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 1), (9, 7, 5, 3), (4, 3, 2, 2, 2), (1, 1, 1)])
def test_any_number_of_dimensions_comes_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.nii", ramp(*shape))
    modality = MRI(4)
    signal = modality.read(path)
    assert signal.shape == shape == modality.shape(signal.meta)
    assert signal.parts == math.prod(shape[3:])
    made = back(modality, path, tmp_path / "b")
    same_header(path, made)
    assert np.array_equal(np.asanyarray(nib.load(made).dataobj), ramp(*shape))


def test_usual_headers_cost_little(tmp_path: Path) -> None:
    plain = MRI().read(save(tmp_path / "a.nii", ramp(5, 6, 7), np.eye(4))).meta
    turned = MRI().read(save(tmp_path / "b.nii", ramp(5, 6, 7))).meta
    assert sum(len(value) for value in plain["fields"].values()) < 60
    assert sum(len(value) for value in turned["fields"].values()) < 130
    assert Header.of(turned).meta["fields"] == turned["fields"]


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_unknown_voxels_have_no_weight_and_come_back(tmp_path: Path, kind: str) -> None:
    array = ramp(9, 8, 7, kind=kind)
    array[:4] = np.nan
    array[5, 5, 5], array[6, 6, 6] = np.inf, -np.inf
    path = save(tmp_path / "a.nii", array)
    modality = MRI(4)
    signal = modality.read(path)
    assert signal.weights is not None
    assert torch.equal(signal.weights.reshape(9, 8, 7) == 0, ~torch.from_numpy(np.isfinite(array)))
    pieces = modality.split(signal)
    assert pieces.weights is not None and bool((pieces.weights.sum(1) > 0).all())
    made = back(modality, path, tmp_path / "b")
    found = np.asanyarray(nib.load(made).dataobj)
    for test in (np.isnan, np.isposinf, np.isneginf):
        assert np.array_equal(test(found), test(array))
    measures = modality.measure(path, made)
    assert measures["psnr"] > 90 and math.isfinite(measures["max_error"])
    check_file(modality, path, tmp_path / "law", tolerance=1e-5)


def test_masks_are_small_and_exact() -> None:
    ball = np.sum((np.mgrid[:40, :40, :40] - 20.0) ** 2, axis=0) > 300
    kinds = ball[None].astype(np.uint8)
    packed = masks.pack(kinds)
    assert len(packed) == 1 and len(packed[0]) < 40**3 / 8 / 6
    assert np.array_equal(masks.unpack(packed, (1, 40, 40, 40)), kinds)
    with pytest.raises(SignalError, match="damaged"):
        masks.unpack([packed[0][:9]], (1, 40, 40, 40))
    with pytest.raises(SignalError, match="damaged"):
        masks.unpack(packed, (1, 4, 4, 4))


def test_the_rarest_values_are_clipped_and_counted(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 1000, (30, 30, 30)).astype("i2")
    array[3, 4, 5], array[6, 7, 8] = 30000, -30000
    path = save(tmp_path / "a.nii", array)
    modality = MRI(8, percentile=99.99)
    assert modality.read(path).meta["range"] == [0, 999]
    made = back(modality, path, tmp_path / "b")
    found = np.asanyarray(nib.load(made).dataobj)
    assert found[3, 4, 5] == 999 and found[6, 7, 8] == 0
    measures = modality.measure(path, made)
    assert measures["clipped"] == pytest.approx(2 / 27000)
    assert measures["max_error"] == 30000
    whole = MRI(8, percentile=100.0)
    assert whole.measure(path, back(whole, path, tmp_path / "c"))["clipped"] == 0.0


@QUICK
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=60), st.floats(50.1, 100.0))
def test_ends_are_order_statistics(values: list[int], percentile: float) -> None:
    array = np.array(values, "i2").reshape(-1, 1, 1)
    low, high = ends(array, percentile, Path("a"))
    assert low in values and high in values
    assert np.mean(array <= high) >= percentile / 100 - 1e-9 or high == low
    # a file that was clipped has the same ends
    assert ends(np.clip(array, low, high), percentile, Path("a")) == (low, high)


@QUICK
@given(st.data())
def test_any_file_comes_back(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    kind = data.draw(st.sampled_from(["u1", "i2", "u2", "i4"]))
    sizes = [data.draw(st.floats(0.2, 6.0)) for _ in range(3)]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    array = rng.integers(0, 200, shape).astype(kind)
    path = save(tmp_path / "a.nii", array, oblique(*sizes))
    modality = MRI(
        data.draw(st.integers(1, 8)), data.draw(st.sampled_from([None, 1.0, 2.0])), 100.0
    )
    made = back(modality, path, tmp_path / "b")
    same_header(path, made)
    assert np.array_equal(np.asanyarray(nib.load(made).dataobj), array)


# --- cubes ---------------------------------------------------------------------------------------


def test_a_cube_is_as_large_in_millimetres_whatever_the_voxels() -> None:
    for sizes, voxels in [
        ((1.0, 1.0, 1.0), (16, 16, 16)),
        ((0.5, 1.0, 5.0), (32, 16, 3)),
        ((0.9, 0.9, 1.2), (18, 18, 13)),
        ((1.0001, 0.9999, 30.0), (16, 16, 1)),
        ((0.01, 1e-30, 1e30), (32, 32, 1)),  # bounded, whatever a file says
    ]:
        cube = block(sizes, 16, 1.0)
        assert cube.size == voxels
        expected = grid.coordinates(voxels)
        seen = cube.coordinates()
        # as far out as training has voxels, and no farther
        assert torch.equal(seen, expected.clamp(-0.9375, 0.9375))
        assert (seen == expected).all() or max(voxels) > 16
    # the same place in millimetres has the same coordinates, within half a voxel at the edges
    x, y, z = (block((0.5, 1.0, 5.0), 16, 1.0).coordinates() * 8.0).reshape(32, 16, 3, 3).unbind(-1)
    assert torch.allclose(x[2:-1, 0, 0] - x[1:-2, 0, 0], torch.tensor(0.5), atol=1e-5)
    assert torch.allclose(y[0, 1:, 0] - y[0, :-1, 0], torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(z[0, 0], torch.tensor([-5.0, 0.0, 5.0]), atol=0.5)
    assert block((0.5, 1.0, 5.0), 16, None).size == (16, 16, 16)


def test_micrometres_and_metres_are_understood(tmp_path: Path) -> None:
    for unit, size in [("mm", 2.0), ("micron", 2000.0), ("meter", 0.002)]:
        image = nib.Nifti1Image(ramp(20, 20, 20), np.diag([size, size, size, 1]))
        image.header.set_xyzt_units(unit)
        path = tmp_path / "a.nii"
        path.write_bytes(image.to_bytes())
        assert load(path).header.sizes() == pytest.approx((2.0, 2.0, 2.0))
        assert MRI(16).split(MRI(16).read(path)).features.shape == (27, 512, 1)


def test_coordinates_of_the_whole_are_those_of_the_grid() -> None:
    assert torch.equal(whole((3, 4, 5)), grid.coordinates((3, 4, 5)))


# --- views ---------------------------------------------------------------------------------------


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cubes may be asked up to their edges, as only a field that knows everything should be."""
    monkeypatch.setattr(blocks, "limit", lambda patch: 1.0)


def decode(modality: MRI, path: Path, view: View, made: Path) -> "nib.Nifti1Image":
    """A view of a file, as decoded from a field that answers with x + 10 y + 100 z in voxels."""
    signal = modality.read(path)
    header = load(path).header
    cube = block(header.sizes(), modality.patch, modality.spacing)
    ask = modality.ask(signal.meta, view)
    many = cube.counts(header.space)
    place = torch.stack(
        [torch.tensor(p) for p in np.unravel_index(list(ask.parts), (header.volumes, *many))], -1
    ).double()  # P 4
    size = torch.tensor(cube.size).double()
    voxel = (ask.queries.double() + 1) / 2 * size + place[:, None, 1:] * size - 0.5
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
    found = np.asanyarray(image.dataobj)
    for t in range(math.prod(shape[3:])):
        shown = found[..., t] if len(shape) == 4 else found
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
        (View(scale=2.0, at=other), "not for both"),
        (View(at=tmp_path / "none.nii"), "no such file"),
        (View(region=(("x", 9.0, 12.0),)), "no voxel"),
        (View(region=(("x", math.nan, 12.0),)), "finite"),
        (View(region=(("x", 0.0, 1.0), ("x", 2.0, 3.0))), "twice"),
        (View(scale=1e5), "too large"),
        (View(scale=1e300), "too large"),
        (View(scale=-1.0), "above 0"),
    ]:
        with pytest.raises(SignalError, match=reason):
            MRI(4).ask(signal.meta, view)


@pytest.mark.parametrize("view", [View(scale=3.0), View(scale=0.7), View(region=(("x", 1, 7),))])
def test_no_view_asks_beyond_what_training_saw(tmp_path: Path, view: View) -> None:
    path = save(tmp_path / "a.nii", ramp(9, 8, 7))
    assert MRI(4).ask(MRI(4).read(path).meta, view).queries.abs().max() <= 0.75


def test_unknown_voxels_stay_unknown_in_a_view(tmp_path: Path) -> None:
    array = ramp(6, 6, 6, kind="f4")
    array[:3] = np.nan
    path = save(tmp_path / "a.nii", array)
    for view, many in [(View(scale=2.0), 6), (View(region=(("x", 2.0, 5.0),)), 1)]:
        found = np.asanyarray(decode(MRI(4), path, view, tmp_path / "b.nii").dataobj)
        assert np.isnan(found[:many]).all() and np.isfinite(found[many:]).all()
    found = decode(MRI(4), path, View(region=(("x", 3.0, 6.0),)), tmp_path / "b.nii")
    assert np.isfinite(found.get_fdata()).all()


# --- quality -------------------------------------------------------------------------------------


def pair(tmp_path: Path, *shape: int) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    """Two volumes that differ by noise."""
    rng = np.random.default_rng(1)
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    a = np.where((axes**2).sum(0) < 0.6, 700.0, 20.0) + rng.normal(0, 15, shape)
    b = a + rng.normal(0, 40, shape)
    a, b = a.astype("i2"), b.astype("i2")
    return save(tmp_path / "a.nii", a), save(tmp_path / "b.nii", b), a, b


def test_measures_agree_with_scikit_image(tmp_path: Path) -> None:
    first, second, a, b = pair(tmp_path, 26, 24, 22)
    found = MRI(percentile=100.0).measure(first, second)
    peak = float(a.max()) - float(a.min())
    mean, full = structural_similarity(
        a.astype(float), b.astype(float), data_range=peak, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    assert found["ssim"] == pytest.approx(mean, abs=1e-9)
    error = (a.astype(float) - b) ** 2
    assert found["psnr"] == pytest.approx(10 * np.log10(peak**2 / error.mean()))
    assert found["max_error"] == np.sqrt(error.max())
    inside = quality.head(a.astype(float), float(a.min()), float(a.max()))
    cut = (slice(5, -5),) * 3
    assert found["ssim_head"] == pytest.approx(full[cut][inside[cut]].mean(), abs=1e-9)
    assert found["psnr_head"] == pytest.approx(10 * np.log10(peak**2 / error[inside].mean()))


def test_ssim_in_slabs_is_ssim(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (torch.rand(31, 13, 4, generator=torch.Generator().manual_seed(i)) for i in (0, 1))
    at_once = quality.ssim(a, b, 1.0)
    monkeypatch.setattr(quality, "_SLAB", 13 * 4 * 3)
    assert at_once.shape == (21, 3, 2) and torch.allclose(quality.ssim(a, b, 1.0), at_once)


def test_the_threshold_is_that_of_scikit_image_and_the_head_is_filled() -> None:
    x, y, z = np.mgrid[-1:1:24j, -1:1:24j, -1:1:24j]
    radius = np.sqrt(x**2 + y**2 + z**2)
    shell = np.where((radius < 0.8) & (radius > 0.4), 100.0, 3.0)
    assert threshold_otsu(shell, 256) == pytest.approx(quality.otsu(shell, 3.0, 100.0), abs=0.5)
    inside = quality.head(shell, 3.0, 100.0)
    assert np.array_equal(inside, radius < 0.8)
    assert quality.head(np.zeros((4, 4, 4)), 0.0, 0.0).sum() == 0


def test_measures_of_what_has_no_head_or_is_the_same(tmp_path: Path) -> None:
    flat = save(tmp_path / "a.nii", np.full((12, 12, 3), 7, "i2"))
    worse = save(tmp_path / "b.nii", np.full((12, 12, 3), 6, "i2"))
    same = MRI().measure(flat, flat)
    assert same["psnr"] == same["psnr_head"] == math.inf and same["ssim"] == 1.0
    assert MRI().measure(flat, worse)["psnr"] == pytest.approx(20 * np.log10(7))
    other = save(tmp_path / "c.nii", np.full((12, 12, 4), 7, "i2"))
    with pytest.raises(SignalError, match=r"c\.nii: \(12, 12, 4\) voxels"):
        MRI().measure(flat, other)
    lost = np.full((12, 12, 3), 7, "f4")
    lost[0, 0, 0] = np.nan
    assert MRI().measure(flat, save(tmp_path / "d.nii", lost))["psnr"] == -math.inf


def test_real_values_are_measured_and_not_stored_ones(tmp_path: Path) -> None:
    first, second, a, b = pair(tmp_path, 12, 12, 12)
    plain = MRI().measure(first, second)
    first = save(tmp_path / "s.nii", a, scl_slope=-0.5, scl_inter=3.0)
    second = save(tmp_path / "t.nii", b, scl_slope=-0.5, scl_inter=3.0)
    scaled = MRI().measure(first, second)
    assert scaled["psnr"] == pytest.approx(plain["psnr"])
    assert scaled["max_error"] == plain["max_error"] / 2


def test_pictures_are_the_right_way_up(tmp_path: Path) -> None:
    array = np.zeros((10, 12, 14), "i2")
    array[7:9, 9:11, 7] = 100  # right, front, in the middle
    modality = MRI(percentile=100.0)
    upright = save(tmp_path / "a.nii", array, np.diag([1.0, 1, 1, 1]))
    turned = save(tmp_path / "b.nii", array[::-1].swapaxes(0, 1).copy(), np.array(
        [[0.0, -1, 0, 9], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    ))  # fmt: skip
    pictures = modality.picture(upright, turned)
    assert np.array_equal(pictures[0]["image"], pictures[1]["image"])
    assert pictures[0]["image"].shape == (12, 10, 3)
    bright = np.argwhere(pictures[0]["image"][..., 0] > 0.5)
    assert bright.tolist() == [[1, 7], [1, 8], [2, 7], [2, 8]]


# --- the law, and refusals -----------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [None, 1.0])
def test_the_law_of_modalities_is_kept(tmp_path: Path, spacing: float | None) -> None:
    paths = [
        save(tmp_path / "a.nii.gz", ramp(11, 12, 9), oblique(0.8, 1.0, 3.0)),
        save(tmp_path / "b.nii", ramp(7, 5, 3, 2, kind="f4")),
        save(tmp_path / "c.nii", ramp(9, 11, kind="u1"), np.eye(4)),
    ]
    (tmp_path / "empty").mkdir()
    check_modality(MRI(8, spacing), paths, tmp_path / "empty", tolerance=1e-5)


@pytest.mark.parametrize("name", ["a.nii.gz", "A.NII", "b.nii"])
def test_packed_files_come_back_packed(tmp_path: Path, name: str) -> None:
    meta = MRI().read(save(tmp_path / name, ramp(5, 4, 3))).meta
    assert MRI().suffix(meta) == name[1:].lower()


@pytest.mark.skipif(not REAL, reason="real volumes are not here")
def test_a_real_volume_comes_back(tmp_path: Path) -> None:
    made = back(MRI(), REAL[0], tmp_path)
    same_header(REAL[0], made)
    assert MRI().measure(REAL[0], made)["psnr"] > 65


def test_a_codec_needs_no_trainer() -> None:
    code = "import sys, inrc_modalities.mri; sys.exit('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(ImportError, match="Nothing"):
        from inrc_modalities.mri import Nothing  # noqa: F401


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"srow_x": [0, 0, 0, 0], "sform_code": 1}, "singular affine"),
        ({"srow_x": [np.nan, 0, 0, 0], "sform_code": 1}, "singular affine"),
        ({"srow_y": [1, 1, 1, 0], "srow_x": [1, 1, 1, 9], "sform_code": 1}, "singular affine"),
        ({"pixdim": [1, 0, 0, 0, 0, 0, 0, 0], "sform_code": 0}, "singular affine"),
        ({"pixdim": [1, np.inf, 1, 1, 0, 0, 0, 0], "sform_code": 0}, "singular affine"),
        ({"quatern_b": np.nan, "sform_code": 0, "qform_code": 1}, "singular affine"),
        ({"dim": [0, 5, 6, 7, 1, 1, 1, 1]}, "0 dimensions"),
        ({"dim": [1, 5, 6, 7, 1, 1, 1, 1]}, "1 dimensions"),
        ({"dim": [9, 5, 6, 7, 1, 1, 1, 1]}, "9 dimensions"),
        ({"dim": [3, 5, 0, 7, 1, 1, 1, 1]}, "every axis"),
        ({"dim": [3, 5, -6, 7, 1, 1, 1, 1]}, "every axis"),
        ({"dim": [7, *[32767] * 7]}, "the limit"),
        ({"dim": [3, 999, 999, 999, 1, 1, 1, 1]}, "cut short"),
        ({"datatype": 32, "bitpix": 64}, "complex"),
        ({"datatype": 128, "bitpix": 24}, "RGB"),
        ({"datatype": 2304, "bitpix": 32}, "RGBA"),
        ({"datatype": 1536, "bitpix": 128}, "128-bit"),
        ({"datatype": 1, "bitpix": 1}, "single bits"),
        ({"datatype": 77}, "unknown type 77"),
        ({"bitpix": 8}, "8 bits"),
        ({"vox_offset": 100.0}, "byte 100"),
        ({"vox_offset": np.nan}, "byte nan"),
        ({"vox_offset": 352.5}, "byte 352.5"),
        ({"vox_offset": 1e9}, "extensions of more"),
        ({"vox_offset": 9000.0}, "cut short"),
        ({"magic": b"ni1"}, "pair of .hdr and .img"),
        ({"magic": b""}, "ANALYZE"),
        ({"sizeof_hdr": 349}, "no NIfTI"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_impossible_headers_are_refused(
    tmp_path: Path, fields: dict[str, object], reason: str, suffix: str
) -> None:
    path = save(tmp_path / f"a{suffix}", ramp(5, 6, 7), **fields)
    with pytest.raises(SignalError, match=reason) as caught:
        MRI().read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_pairs_are_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(ramp(5, 6, 7), np.eye(4)), tmp_path / "a.img")
    with pytest.raises(SignalError, match=r"a\.hdr: is half of a pair"):
        MRI().read(tmp_path / "a.hdr")
    with pytest.raises(SignalError, match=r"a\.img: is no NIfTI"):
        MRI().read(tmp_path / "a.img")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_cut_and_damaged_files_are_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 99, (12, 12, 12)).astype("i2")
    path = save(tmp_path / f"a{suffix}", array)
    content = path.read_bytes()
    for keep in (1, 3, 100, 347, 351, 360, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(SignalError, match=r"cut short|no NIfTI"):
            MRI().read(path)
    if suffix == ".nii.gz":  # what gzip's checksum is for
        path.write_bytes(content[:-6] + b"xx" + content[-4:])
        with pytest.raises(SignalError, match="damaged"):
            MRI().read(path)


def test_what_a_gzip_file_cannot_hold_is_not_waited_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", ramp(5, 6, 7), dim=[3, 1000, 1000, 1000, 1, 1, 1, 1])
    with pytest.raises(SignalError, match="cut short"):
        MRI().read(path)


def test_values_that_cannot_be_computed_with_are_refused(tmp_path: Path) -> None:
    for array, reason in [
        (np.full((4, 4, 4), np.nan, "f4"), "nothing but NaN"),
        (np.array([[[-1.7e308, 1.7e308]]]), "scale them down"),
        (np.array([[[0, 2**60]]]), "beyond 2\\^53"),
    ]:
        path = save(tmp_path / "a.nii", array)
        with pytest.raises(SignalError, match=reason):
            MRI(percentile=100.0).read(path)
    image = nib.Nifti1Image(ramp(4, 4, 4), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * EXTRA_LIMIT))
    (tmp_path / "e.nii").write_bytes(image.to_bytes())
    with pytest.raises(SignalError, match="extensions"):
        MRI().read(tmp_path / "e.nii")


@QUICK
@given(st.data())
def test_damaged_headers_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    path = save(tmp_path / "a.nii", ramp(5, 6, 7))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, SIZES[1] + 4))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    modality = MRI(4)
    try:
        signal = modality.read(path)
    except SignalError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
        return
    assert modality.shape(signal.meta) == signal.shape
    back(modality, path, tmp_path / "b")
    ask = modality.ask(signal.meta, View(scale=0.5))
    zeros = torch.zeros(len(ask.parts), ask.queries.shape[1], 1)
    seen = modality.join(zeros, signal.meta, View(scale=0.5))
    assert modality.shape(seen.meta) == seen.shape


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [0, 4, 4]}, {"shape": [4]}, {"shape": [40000, 4, 4]}, {"shape": "444"},
        {"shape": [4.0, 4, 4]}, {"shape": None}, {"datatype": 3}, {"datatype": "u1"},
        {"version": 3}, {"version": True}, {"order": "="}, {"order": None}, {"fields": None},
        {"fields": {"nothing": b""}}, {"fields": {DIM: b"\3\0\5\0\5\0\5"}},
        {"fields": {DESCRIP: b"x" * 81}}, {"fields": {DESCRIP: "x"}},
        {"fields": {DATATYPE: b"\x20"}}, {"extra": b""}, {"extra": None}, {"range": [1, 0]},
        {"range": [0.0, math.nan]}, {"range": [0, 1 << 40]}, {"range": None}, {"range": [0]},
        {"unknown": b"x"}, {"unknown": [b"x"]}, {"unknown": []},
        {"fields": {SFORM_CODE: b"\1", SROW_X: b""}},
    ],
)  # fmt: skip
def test_hostile_metas_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    meta = MRI().read(save(tmp_path / "a.nii", ramp(4, 4, 4), np.eye(4))).meta
    assert MRI().shape(meta) == (4, 4, 4)
    with pytest.raises(SignalError) as caught:
        MRI().shape({**meta, **change})
    assert "\n" not in str(caught.value)
    for key in set(meta) - {"suffix"}:  # which older archives have not
        with pytest.raises(SignalError):
            MRI().shape({k: v for k, v in meta.items() if k != key})


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for settings_, reason in [
        ({"patch": 0}, "patch"), ({"spacing": 0.0}, "spacing"), ({"spacing": math.nan}, "spacing"),
        ({"percentile": 10.0}, "percentile"), ({"percentile": 101.0}, "percentile"),
    ]:  # fmt: skip
        with pytest.raises(SignalError, match=reason):
            MRI(**settings_)
    signal = MRI().read(save(tmp_path / "a.nii", ramp(4, 4, 4)))
    with pytest.raises(SignalError, match=r"use \.nii"):
        MRI().write(signal, tmp_path / "a.png")
    short = Signal(signal.queries[:, :9], signal.features[:, :9], (9,), signal.meta)
    with pytest.raises(SignalError, match="values for"):
        MRI().write(short, tmp_path / "b.nii")
    with pytest.raises(SignalError, match="cannot be written"):
        MRI().write(signal, tmp_path / "nowhere" / "b.nii")
    assert not (tmp_path / "b.nii").exists()


# --- baselines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("kind", ["u1", "i2", "f4"])
def test_baselines_give_files_that_improve_with_their_bytes(
    tmp_path: Path, number: int, kind: str
) -> None:
    rng = np.random.default_rng(0)
    x, y, z = np.mgrid[-1:1:36j, -1:1:30j, -1:1:5j]
    volume = 90 * (1 + np.sin(5 * x) * np.cos(4 * y + z)) + rng.normal(0, 8, x.shape)
    volume = np.clip(volume, 0, 250)
    volume[..., 0] = 0  # a slice of nothing
    scale = {"u1": 1.0, "i2": 40.0, "f4": 1e-3}[kind]
    array = (volume * scale).astype(kind)
    if kind == "f4":
        array = np.stack([array, array * 0.5], -1)
        array[3, 4, 1, 0] = np.nan
    path = save(tmp_path / "a.nii.gz", array)
    baseline = MRI().baselines()[number]
    found = []
    for quality_ in (baseline.qualities[0], baseline.qualities[-1]):
        data = baseline.encode(path, quality_)
        made = tmp_path / "b.nii.gz"
        baseline.decode(data, path, made)
        measures = MRI(percentile=100.0).measure(path, made)
        found.append((len(data), measures["psnr"]))
        same_header(path, made)
    assert found[0][0] < found[1][0]
    assert found[0][1] + 3 < found[1][1] and found[1][1] > 30
