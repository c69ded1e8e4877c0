"""The named data sets of images: CIFAR-10, Kodak, CelebA-HQ, Vimeo90k."""

import functools
import hashlib
import os
import pickle
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from image_files import folder, levels, numbered

from inrc.errors import InrcError, SignalError, UsageError
from inrc.fetch import Remote
from inrc_modalities import image
from inrc_modalities.image import CIFAR10, CelebAHQ, Image, Kodak, Vimeo90k, kodak
from inrc_modalities.image.cifar import unpickled
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save


def test_kodak_is_never_trained_on(tmp_path: Path) -> None:
    root, train = folder(tmp_path / "kodak", 1), folder(tmp_path / "train", 3)
    with pytest.raises(SignalError, match=r"kodim.*png in it; put the files of https://r0k"):
        Kodak(root, train_root=train).setup("fit")
    for where in (root, train):
        save(numbered(77), where / "kodim07.png")
    data = Kodak(root, train_root=train, patch=4, random_patches=2)
    data.setup("fit")
    assert [p.name for p in data.val_paths] == ["kodim07.png"]
    assert [p.name for p in data.train_paths] == ["000.png", "001.png", "002.png"]
    assert data.val_rows is not None and data.train_rows is not None
    assert len(data.val_rows) == 9 and len(data.train_rows) == 6


class FakeCIFAR10(CIFAR10):
    """Reads an archive of the layout of CIFAR-10, but small."""

    remote = Remote("cifar-10-python.tar.gz", "http://127.0.0.1:1/c.tar.gz", "free", "nobody")


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """A folder with a packed archive of 2 x 6 training and 4 test images, and these images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    inside = tmp_path / "make" / CIFAR10.folder
    inside.mkdir(parents=True)
    sums = {}
    for name, part in [("data_batch_1", slice(6)), ("data_batch_2", slice(6, 12)),
                       ("test_batch", slice(12, 16))]:  # fmt: skip
        planes = images[part].transpose(0, 3, 1, 2).reshape(-1, 3072)
        content = pickle.dumps({"data": planes, "labels": [0] * len(planes)}, protocol=2)
        (inside / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    root = tmp_path / "root"
    root.mkdir()
    archive = root / CIFAR10.remote.name
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(inside, CIFAR10.folder)
    packed = archive.read_bytes()
    digest = hashlib.sha256(packed).hexdigest()
    monkeypatch.setattr(FakeCIFAR10, "remote", replace(FakeCIFAR10.remote, sha256=digest))
    test = {"test_batch": sums.pop("test_batch")}
    monkeypatch.setattr(FakeCIFAR10, "train_parts", sums)
    monkeypatch.setattr(FakeCIFAR10, "test_parts", test)
    return root, images


def test_cifar_is_unpacked_and_keeps_its_splits(cifar: tuple[Path, np.ndarray]) -> None:
    root, images = cifar
    data = FakeCIFAR10(root, flip=False, val_files=3)
    data.prepare_data()
    data.setup("fit")
    assert data.train_rows is not None and data.val_rows is not None
    train = levels(data.train_rows.features).reshape(-1, 32, 32, 3).numpy()
    assert np.array_equal(train, images[:12])
    assert np.array_equal(levels(data.val_rows.features).reshape(-1, 32, 32, 3), images[12:])
    assert len(data.val_paths) == 3
    for path, array in zip(data.val_paths, images[12:], strict=False):
        assert np.array_equal(load(path).array, array)
    assert torch.equal(
        Image().read(data.val_paths[1]).features, data.val_rows.__getitem__(1).features
    )
    stamps = [path.stat().st_mtime_ns for path in data.val_paths]
    FakeCIFAR10(root, val_files=3).prepare_data()
    assert [path.stat().st_mtime_ns for path in data.val_paths] == stamps


def test_missing_or_damaged_cifar_is_explained(cifar: tuple[Path, np.ndarray]) -> None:
    root, _ = cifar
    nowhere = root / "elsewhere"
    with pytest.raises(
        InrcError, match=r"is missing; download http.*yourself.*or set download: true"
    ):
        FakeCIFAR10(nowhere).prepare_data()
    with pytest.raises(InrcError, match=r"cannot be downloaded \(no connection\)"):
        FakeCIFAR10(nowhere, download=True).prepare_data()
    with pytest.raises(SignalError, match=r"no such file; unpack cifar-10-python\.tar\.gz"):
        FakeCIFAR10(nowhere).setup("fit")
    FakeCIFAR10(root).prepare_data()
    part = root / CIFAR10.folder / "data_batch_2"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(SignalError, match="data_batch_2: damaged"):
        FakeCIFAR10(root).setup("fit")
    other = root / "other"
    other.mkdir()
    (other / CIFAR10.remote.name).write_bytes(b"not the archive")
    with pytest.raises(InrcError, match="SHA-256"):
        FakeCIFAR10(other).prepare_data()


class Evil:
    """What a forged archive might hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("you have been had",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"data": Evil()}, "refers to posix.mkdir"),
        ({"data": np.array([Evil()], object)}, "refers to posix.mkdir"),
        ({"labels": [0]}, "'data'"),
        ({"data": np.zeros((2, 3072), np.float32)}, "does not hold images"),
        ({"data": np.zeros((2, 3071), np.uint8)}, "does not hold images"),
        ([], "not a part of CIFAR-10"),
    ],
)
def test_a_forged_part_runs_no_code(
    cifar: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch, content: Any, said: str
) -> None:
    root, _ = cifar
    FakeCIFAR10(root).prepare_data()
    forged = pickle.dumps(content, protocol=2)
    (root / CIFAR10.folder / "data_batch_1").write_bytes(forged)
    sums = {"data_batch_1": hashlib.md5(forged).hexdigest()}  # an attacker knows the sum too
    monkeypatch.setattr(FakeCIFAR10, "train_parts", sums)
    monkeypatch.chdir(root)
    with pytest.raises(SignalError, match=said) as refusal:
        FakeCIFAR10(root).setup("fit")
    assert "data_batch_1" in str(refusal.value) and "\n" not in str(refusal.value)
    assert not (root / "you have been had").exists()


def test_the_pickles_of_python_2_are_read(tmp_path: Path) -> None:
    # what Python 2.7 wrote: protocol 2, strings of bytes, numpy.core
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR"
    state = (
        b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n(U\x02u1I0\nI1\ntR(I3\nU\x01|NNNI-1\nI-1\nI0\ntbI00\n"
    )
    pixels = bytes(range(256)) * 12
    body = b"T" + len(pixels).to_bytes(4, "little") + pixels
    (tmp_path / "part").write_bytes(b"\x80\x02}(U\x04data" + array + state + body + b"tbu.")
    data = unpickled((tmp_path / "part").read_bytes(), tmp_path / "part")
    assert data.shape == (1, 3072) and data.tobytes() == pixels


def test_torchvision_is_not_needed() -> None:
    """A torchvision that does not fit torch cannot be imported, and need not be."""
    for source in Path(image.__file__).parent.glob("*.py"):
        assert "torchvision" not in source.read_text(encoding="utf-8")


def test_a_cifar_archive_that_cannot_be_unpacked_is_explained(
    cifar: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, _ = cifar
    archive = root / CIFAR10.remote.name
    for content in (b"not an archive", archive.read_bytes()[:-2000]):
        archive.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setattr(FakeCIFAR10, "remote", replace(FakeCIFAR10.remote, sha256=digest))
        with pytest.raises(SignalError, match=r"cannot be unpacked .*; remove it and get it"):
            FakeCIFAR10(root).prepare_data()
    with pytest.raises(UsageError, match=r"data\.val_files: 0; give 1 or more"):
        FakeCIFAR10(root, val_files=0)


def test_more_files_than_test_images_are_not_made(cifar: tuple[Path, np.ndarray]) -> None:
    root, _ = cifar
    data = FakeCIFAR10(root, val_files=99)
    data.prepare_data()
    data.setup("fit")
    assert len(data.val_paths) == 4 == len(list((root / "cifar10-test").iterdir()))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served, and its address."""
    root = tmp_path / "served"
    root.mkdir()
    handler = functools.partial(Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield root, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


def test_kodak_is_fetched_when_asked_and_checked(
    tmp_path: Path, web: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, url = web
    monkeypatch.setattr(Kodak, "source", url)
    monkeypatch.setattr(kodak, "COUNT", 2)
    blank = PIL.Image.new("RGB", (768, 512), "red")
    blank.save(served / "kodim01.png")
    blank.rotate(90, expand=True).save(served / "kodim02.png")
    root, train = tmp_path / "kodak", folder(tmp_path / "train", 1)
    with pytest.raises(SignalError, match="set download: true"):
        Kodak(root, train_root=train).prepare_data()
    assert not root.exists()
    Kodak(root, train_root=train, download=True).prepare_data()
    assert [path.name for path in sorted(root.iterdir())] == ["kodim01.png", "kodim02.png"]
    stamp = (root / "kodim01.png").stat().st_mtime_ns
    for wrong in (PIL.Image.new("RGB", (512, 512)), PIL.Image.new("L", (768, 512)), None):
        (root / "kodim02.png").unlink(missing_ok=True)
        wrong.save(served / "kodim02.png") if wrong else (served / "kodim02.png").write_text("<p>")
        with pytest.raises(SignalError, match=r"kodim02\.png: not a Kodak image but .*; put"):
            Kodak(root, train_root=train, download=True).prepare_data()
        assert not (root / "kodim02.png").exists()
    assert (root / "kodim01.png").stat().st_mtime_ns == stamp


def test_faces_are_reduced_once(tmp_path: Path) -> None:
    root, out = tmp_path / "faces", tmp_path / "out"
    (root / "part").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        array = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        where = root / ("part" if number % 2 else ".") / f"{number}.png"
        PIL.Image.fromarray(array).save(where)
    data = CelebAHQ(root, side=4, reduced=out, flip=False)
    with pytest.raises(SignalError, match="prepare_data first"):
        data.setup("fit")
    data.prepare_data()
    data.setup("fit")
    assert [path.name for path in data.val_paths] == ["00011.png"]  # by number, not by name
    assert data.train_rows is not None and data.train_rows.features.shape == (11, 16, 3)
    mean = array.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3))
    assert abs(load(data.val_paths[0]).array - mean).max() < 1.0  # Pillow rounds twice
    stamps = [path.stat().st_mtime_ns for path in sorted(out.rglob("*.png"))]
    CelebAHQ(root, side=4, reduced=out).prepare_data()
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob("*.png"))] == stamps
    few = CelebAHQ(root, side=4, count=3, reduced=out)
    few.setup("fit")
    assert [p.name for p in few.train_paths + few.val_paths] == [f"{n:05d}.png" for n in range(3)]


def test_other_faces_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SignalError, match="put there by hand"):
        CelebAHQ(tmp_path / "no").prepare_data()
    root = tmp_path / "a"
    root.mkdir()
    PIL.Image.new("RGB", (8, 8)).save(root / "1.png")
    with pytest.raises(SignalError, match="only one image"):
        CelebAHQ(root).prepare_data()
    PIL.Image.new("RGB", (8, 8)).save(root / "01.jpg")
    with pytest.raises(SignalError, match="same number as"):
        CelebAHQ(root).prepare_data()
    (root / "01.jpg").rename(root / "face.jpg")
    with pytest.raises(SignalError, match=r"face\.jpg: not named by a number"):
        CelebAHQ(root).prepare_data()
    (root / "face.jpg").unlink()
    PIL.Image.new("RGB", (9, 8)).save(root / "2.png")
    with pytest.raises(SignalError, match=r"png: .* give square images of 9 pixels or more"):
        CelebAHQ(root, side=9, reduced=tmp_path / "out").prepare_data()
    with pytest.raises(UsageError, match="side"):
        CelebAHQ(root, side=0)


@pytest.mark.parametrize(("kind", "frames"), [("tri", 3), ("sep", 7)])
def test_vimeo_keeps_its_lists(tmp_path: Path, kind: str, frames: int) -> None:
    names = [f"00001/{number:04d}" for number in range(1, 7)]
    for number, name in enumerate(names):
        (tmp_path / "sequences" / name).mkdir(parents=True)
        for frame in range(1, frames + 1):
            save(numbered(10 * number + frame), tmp_path / "sequences" / name / f"im{frame}.png")
    (tmp_path / f"{kind}_trainlist.txt").write_text("\n".join(names[:4]) + "\n\n")
    (tmp_path / f"{kind}_testlist.txt").write_text("\r\n".join(names[4:]))
    data = Vimeo90k(tmp_path, count=4, patch=4, random_patches=2, val_count=1)
    data.setup("fit")
    assert {path.parent.name for path in data.train_paths} == {name[-4:] for name in names[:4]}
    assert data.val_paths == [tmp_path / "sequences" / names[4] / "im1.png"]
    assert data.train_rows is not None and len(data.train_rows) == 8
    assert Vimeo90k(tmp_path, count=4).files() == Vimeo90k(tmp_path, count=4).files()
    assert Vimeo90k(tmp_path, count=4).files() != Vimeo90k(tmp_path, count=4, seed=1).files()
    every = Vimeo90k(tmp_path, count=999).files()[0]
    assert len(set(every)) == len(every) == 4 * frames
    (tmp_path / "sequences" / names[4] / "im1.png").unlink()
    with pytest.raises(SignalError, match=r"im1\.png: no such file \(1 of 1 are missing\)"):
        Vimeo90k(tmp_path, count=1, val_count=1).files()
    for wrong in ("../../secret", "", "/etc"):
        (tmp_path / f"{kind}_testlist.txt").write_text(wrong)
        with pytest.raises(SignalError, match="not a list of sequences"):
            Vimeo90k(tmp_path).files()
    with pytest.raises(SignalError, match=r"unpack vimeo_triplet\.zip of .* by hand"):
        Vimeo90k(tmp_path / "no").files()
    with pytest.raises(UsageError, match="count"):
        Vimeo90k(tmp_path, count=0)
