"""Volumes as training data: folders, fastMRI, the made heads."""

from pathlib import Path

import h5py
import lightning
import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from scipy.ndimage import zoom

from inrc.errors import SignalError, UsageError
from inrc_modalities.mri import MRI, FastMRI, MRIDataModule
from inrc_modalities.mri import sample as heads
from inrc_modalities.mri.data import resampled
from inrc_modalities.mri.reading import load

HEADER = """<?xml version="1.0"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>640</x><y>320</y><z>1</z></matrixSize>
<fieldOfView_mm><x>440</x><y>220</y><z>7.5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>320</x><y>320</y><z>1</z></matrixSize>
<fieldOfView_mm><x>220</x><y>240</y><z>5</z></fieldOfView_mm></reconSpace>
</encoding></ismrmrdHeader>"""


def numbered(path: Path, number: int, shape: tuple[int, ...], size: float = 1.0) -> Path:
    """A volume whose voxels say where they are, in thousands of its own."""
    cells = np.arange(np.prod(shape)).reshape(shape) + 1000 * number
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(cells.astype("i2"), np.diag([size, size, size, 1.0]))
    path.write_bytes(image.to_bytes())
    return path


def folder(root: Path, count: int, shape: tuple[int, ...] = (9, 8, 7)) -> Path:
    for number in range(count):
        numbered(root / "deep" / f"{number}.nii", number, shape)
    return root


def volumes(root: Path | None, **settings: object) -> MRIDataModule:
    """A small one, that clips nothing."""
    return MRIDataModule(
        root, **{"patch": 4, "percentile": 100.0, "random_patches": 30, **settings}
    )


def test_files_are_parted_by_name_and_searched_in_depth(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 5)
    (root / "notes.txt").write_text("no volume")
    numbered(root / "deep" / "zipped.nii", 9, (9, 8, 7))
    image = nib.load(root / "deep" / "zipped.nii")
    nib.save(image, root / "deep" / "7.nii.gz")
    (root / "deep" / "zipped.nii").unlink()
    data = volumes(root, val_fraction=0.3)
    data.setup("fit")
    assert [p.name for p in data.train_paths] == ["0.nii", "1.nii", "2.nii", "3.nii"]
    assert [p.name for p in data.val_paths] == ["4.nii", "7.nii.gz"]
    assert data.train_rows is not None and data.val_rows is not None
    assert len(data.train_rows) == 120 and len(data.val_rows) == 2 * 3 * 2 * 2
    assert data.train_rows.queries.shape == (1, 64, 3) and data.train_rows.weights is None
    one = volumes(root / "deep" / "0.nii")
    one.setup("fit")
    assert one.train_paths == one.val_paths


def test_validation_rows_are_those_of_the_codec(tmp_path: Path) -> None:
    data = volumes(folder(tmp_path / "a", 3))
    data.setup("fit")
    assert data.val_rows is not None
    modality = data.modality
    pieces = modality.split(modality.read(data.val_paths[0]))
    assert torch.equal(data.val_rows.queries, pieces.queries)
    assert torch.allclose(data.val_rows.features, pieces.features, atol=1 / 65535)


def test_random_cubes_come_from_their_volume_and_from_everywhere(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    root = folder(tmp_path / "a", 2)
    numbered(root / "deep" / "8.nii", 8, (3, 9, 5))  # thinner than a cube
    data = volumes(root, val_root=folder(tmp_path / "b", 1), random_patches=60)
    data.setup("fit")
    rows = data.train_rows
    assert rows is not None and len(rows) == 180
    index = torch.randperm(180)[:150]
    batch = rows.__getitems__(index.tolist())
    for number, shape in enumerate([(9, 8, 7), (9, 8, 7), (3, 9, 5)]):
        mine = batch.features[index // 60 == number].reshape(-1, 4, 4, 4)
        cells = (mine * (np.prod(shape) - 1)).round().long()
        x, y, z = np.unravel_index(cells.numpy(), shape)
        assert x.min() == 0 and x.max() == shape[0] - 1
        assert {0, shape[1] - 4} <= set(y[:, 0, 0, 0].tolist())
        steps = np.diff(y, axis=2)
        assert (steps == 1).all() and (np.diff(z, axis=3) == 1).all()
        if number == 2:
            assert (x[:, :, 0, 0] == [0, 1, 2, 1]).all()  # reflected
    assert not torch.equal(rows.__getitems__(index.tolist()).features, batch.features)
    assert torch.equal(rows.select(torch.arange(5))[1], rows.features[:5])
    assert sum(len(b.features) for b in data.train_dataloader()) == 180 // 64 * 64


def test_half_of_the_cubes_are_mirrored(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    data = volumes(folder(tmp_path / "a", 2), flip=True, random_patches=64)
    data.setup("fit")
    assert data.train_rows is not None
    cubes = data.train_rows.__getitems__(list(range(64))).features.reshape(-1, 4, 4, 4)
    along = cubes[:, 1, 0, 0] > cubes[:, 0, 0, 0]
    assert 10 < int(along.sum()) < 54
    assert (cubes[:, 0, 1, 0] > cubes[:, 0, 0, 0]).all()


def test_unknown_voxels_have_no_weight_in_training(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    array = np.random.default_rng(0).random((9, 8, 7)).astype("f4")
    array[5:] = np.nan
    nib.save(nib.Nifti1Image(array, np.eye(4)), root / "n.nii")
    data = volumes(root, val_root=root)
    data.setup("fit")
    for rows in (data.train_rows, data.val_rows):
        assert rows is not None and rows.weights is not None
        assert bool((rows.weights.sum(1) > 0).all()) and bool((rows.weights == 0).any())
    assert data.train_rows is not None
    batch = data.train_rows.__getitems__(list(range(90)))
    assert batch.weights is not None and batch.weights.shape == (90, 64)
    assert bool((batch.weights[:60] == 1).all()) and bool((batch.weights[60:] == 0).any())
    assert bool((batch.features[60:][batch.weights[60:] == 0] == 0).all())


def test_finer_voxels_are_interpolated_to_those_of_the_model(tmp_path: Path) -> None:
    axes = [np.linspace(0, 3, 20)] * 3
    x, y, z = np.meshgrid(*axes, indexing="ij")
    smooth = (1000 * (1 + np.sin(x) * np.cos(y) + 0.2 * z)).astype("f4")
    root = tmp_path / "a"
    root.mkdir()
    nib.save(nib.Nifti1Image(smooth, np.diag([0.8, 0.8, 1.6, 1])), root / "a.nii")
    data = volumes(root, spacing=1.0)
    made = data._volumes(root / "a.nii")[0][..., 0].numpy() / 65535
    assert made.shape == (16, 16, 20)  # coarser ones stay as they are
    low, high = MRI(percentile=100.0).read(root / "a.nii").meta["range"]
    # at its own centres, in millimetres, it is the volume
    mm = (np.arange(16) + 0.5 - 8) / 16 * 16 + 8
    inside = np.interp(mm / 0.8 - 0.5, np.arange(20), axes[0])
    expected = (
        1 + np.sin(inside)[:, None, None] * np.cos(inside)[None, :, None] + 0.2 * axes[2]
    ) * 1000
    error = np.abs(made * (high - low) + low - expected)[2:-2, 2:-2, 2:-2]
    assert error.max() < 0.01 * (high - low)
    assert volumes(root, spacing=None)._volumes(root / "a.nii")[0].shape == (20, 20, 20, 2)
    known = np.ones((4, 4, 4), "f4")
    known[0] = 0
    values, mask = resampled(np.zeros((4, 4, 4), "f4"), known, (2.0, 2.0, 2.0))
    assert values.shape == (8, 8, 8) and np.array_equal(mask, zoom(known, 2, order=0))


def test_without_a_folder_heads_are_made(tmp_path: Path) -> None:
    data = MRIDataModule(sample_folder=tmp_path, sample_count=2, random_patches=5, patch=8, seed=3)
    data.prepare_data()
    stamps = [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("*.nii.gz"))]
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.features.shape == (5, 512, 1)
    assert [p.stat().st_mtime_ns for p in sorted(tmp_path.glob("*.nii.gz"))] == stamps
    volume = load(data.val_paths[0]).real(0)
    # dark around the head, bright inside, and a scan's noise everywhere
    edge, middle = volume[:3, :3], volume[20:36, 20:36, 20:36]
    assert edge.mean() * 5 < middle.mean() and edge.std() > 0


def test_a_larger_sample_begins_with_a_smaller_one(tmp_path: Path) -> None:
    few = [p.read_bytes() for p in heads.write(tmp_path / "a", 0, 1)]
    more = [p.read_bytes() for p in heads.write(tmp_path / "b", 0, 2)]
    assert few == more[:1] and more[0] != more[1]


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    with pytest.raises(UsageError, match="random_patches"):
        MRIDataModule(root, random_patches=0)
    (root / "bad.nii").write_bytes(b"no volume")
    with pytest.raises(SignalError, match=r"bad\.nii"):
        volumes(root).setup("fit")


# --- fastMRI -------------------------------------------------------------------------------------


def scan(path: Path, header: str | None = HEADER, key: str = "reconstruction_rss") -> np.ndarray:
    """A file of the layout of fastMRI, but small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    slices = np.random.default_rng(len(path.name)).random((5, 12, 10)).astype("f4") * 1e-4
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=slices)
        file.create_dataset("kspace", data=np.zeros((5, 2, 3, 4), "c8"))
        if header is not None:
            file.create_dataset("ismrmrd_header", data=header.encode())
        file.attrs["max"] = slices.max()
    return slices


def test_fastmri_becomes_nifti_files_once(tmp_path: Path) -> None:
    slices = scan(tmp_path / "h5" / "multicoil_val" / "file_1.h5")
    scan(tmp_path / "h5" / "multicoil_val" / "file_22.h5")
    scan(tmp_path / "val" / "file_333.h5")
    data = FastMRI(tmp_path / "h5", val_root=tmp_path / "val", patch=4, random_patches=7)
    data.prepare_data()
    data.setup("fit")
    train = sorted((tmp_path / "h5" / "nifti" / "train").iterdir())
    assert [p.name for p in train] == [f"multicoil_val-file_{n}.nii.gz" for n in (1, 22)]
    assert data.train_paths == train and [p.name for p in data.val_paths] == ["file_333.nii.gz"]
    assert data.train_rows is not None and len(data.train_rows) == 14
    image = nib.load(train[0])
    assert np.array_equal(np.asanyarray(image.dataobj), slices.transpose(2, 1, 0)[:, ::-1])
    assert image.header.get_zooms() == pytest.approx((0.6875, 0.75, 5.0))
    assert image.header.get_xyzt_units() == ("mm", "sec")
    stamps = [p.stat().st_mtime_ns for p in train]
    FastMRI(tmp_path / "h5").prepare_data()
    assert [p.stat().st_mtime_ns for p in train] == stamps
    # as COIN++ has it: cubes of voxels, whatever their size
    assert data.modality.settings() == {"patch": 4, "spacing": None, "percentile": 99.99}


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "no ismrmrd_header"),
        ("<nothing", "cannot be used"),
        ("<a></a>", "no reconSpace"),
        (HEADER.replace("220", "-220"), "voxels of"),
        (HEADER.replace("<x>320</x>", "<x>0</x>"), "cannot be used"),
        (HEADER.replace("<x>320</x>", ""), "no field of view"),
        ("<!DOCTYPE a [<!ENTITY b 'b'>]>" + HEADER, "no ismrmrd_header"),
    ],
)
def test_fastmri_headers_that_say_nothing_are_refused(
    tmp_path: Path, header: str | None, reason: str
) -> None:
    scan(tmp_path / "a.h5", header)
    with pytest.raises(SignalError, match=f"a\\.h5: .*{reason}") as caught:
        FastMRI(tmp_path).prepare_data()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.nii*"))


def test_fastmri_is_explained_where_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(SignalError, match=r"no \.h5 files here; request fastMRI at http"):
        FastMRI(tmp_path / "none").prepare_data()
    with pytest.raises(UsageError, match="reconstruction_rss, reconstruction_esc"):
        FastMRI(tmp_path, key="kspace")
    scan(tmp_path / "a.h5", key="reconstruction_esc")
    with pytest.raises(SignalError, match=r"no reconstruction_rss, only .*reconstruction_esc"):
        FastMRI(tmp_path).prepare_data()
    FastMRI(tmp_path, key="reconstruction_esc").prepare_data()
    for name, make in [
        ("text", lambda p: p.write_text("no HDF5")),
        ("flat", lambda p: _one(p, np.zeros((4, 4), "f4"))),
        ("complex", lambda p: _one(p, np.zeros((4, 4, 4), "c8"))),
        ("empty", lambda p: _one(p, np.zeros((4, 0, 4), "f4"))),
    ]:
        root = tmp_path / name
        root.mkdir()
        make(root / "b.h5")
        with pytest.raises(SignalError, match=r"b\.h5"):
            FastMRI(root).prepare_data()


def _one(path: Path, array: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("reconstruction_rss", data=array)


def test_the_recipe_knows_no_detail_finer_than_its_voxels() -> None:
    recipe = yaml.safe_load((Path(__file__).parents[1] / "recipes" / "mri.yaml").read_text())
    method, data = recipe["model"]["method"]["init_args"], recipe["data"]["init_args"]
    # from -1 to 1 there are `patch` voxels: pi patch / 2 radians a unit are the last they can show
    assert method["w0"] / 2 <= np.pi * data["patch"] / 2
