"""CIFAR-10 as training data."""

import pickle
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.datasets import CIFAR10 as Archive
from torchvision.datasets.utils import check_integrity, extract_archive

from inrc import grid
from inrc.data import PatchDataset
from inrc.errors import SignalError
from inrc.fetch import Remote, find
from inrc_modalities.image.data import ImageDataModule
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.rows import MovedRows
from inrc_modalities.image.writing import save

SIDE = 32


class CIFAR10(ImageDataModule):
    """CIFAR-10: trains on its 50,000 training images, validates on its 10,000 test images.

    `val_paths` are the first `val_files` test images, written as PNG files into
    `root`/cifar10-test, because codecs are judged on files.

    Licence: none is stated by the authors; it is distributed for research, with citation of
    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        root: folder with the archive (cifar-10-python.tar.gz), or what it unpacks to
            (cifar-10-batches-py).
        download: fetch the archive (170 MB) if it is not there.
        flip: mirror half of the training rows left to right, anew in every epoch.
        batch_size: rows per step and process.
        val_files: test images that become files.
        workers: processes that read ahead.

    Raises:
        InrcError: the archive is missing, differs from its SHA-256, or cannot be downloaded.
        SignalError: a part of it is missing, differs from its MD5 sum, or holds no images.
    """

    archive: ClassVar[type[Archive]] = Archive
    """What the archive unpacks to: `base_folder`, names of its parts and their MD5 sums."""
    remote: ClassVar[Remote] = Remote(
        "cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "none stated; distributed for research",
        "A. Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        170_498_071,
    )

    def __init__(
        self,
        root: Path,
        download: bool = False,
        flip: bool = True,
        batch_size: int = 64,
        val_files: int = 1000,
        workers: int = 0,
    ) -> None:
        super().__init__(root=root, flip=flip, batch_size=batch_size, workers=workers)
        self.cifar_root = root
        self.download = download
        self.val_files = val_files

    def prepare_data(self) -> None:
        """Fetch (if that was asked for) and unpack the archive, and write the files to judge."""
        root, archive = self.cifar_root, self.archive
        if not (root / archive.base_folder).is_dir():
            extract_archive(str(find(self.remote, root, self.download)), str(root))
        missing = [n for n, path in enumerate(self._val_paths()) if not path.is_file()]
        if missing:
            test = self._images(archive.test_list)
            paths = self._val_paths()
            paths[0].parent.mkdir(exist_ok=True)
            for number in missing:
                if number < len(test):
                    save(Pixels(test[number], "RGB"), paths[number])

    def setup(self, stage: str) -> None:
        """Read all images into memory, once."""
        if self.train_rows is None:
            train, test = (
                self._rows(self._images(parts))
                for parts in (self.archive.train_list, self.archive.test_list)
            )
            self.val_rows = test
            self.train_rows = (
                MovedRows(train.queries, train.features, side=(SIDE, SIDE)) if self.flip else train
            )
            self.val_paths = self._val_paths()[: len(test)]

    def _val_paths(self) -> list[Path]:
        folder = self.cifar_root / "cifar10-test"
        return [folder / f"{number:05d}.png" for number in range(self.val_files)]

    def _images(self, parts: list[list[str]]) -> NDArray[np.uint8]:
        """Images N H W 3 of some parts, whose MD5 sums are checked first."""
        planes = []
        for name, md5 in parts:
            path = self.cifar_root / self.archive.base_folder / name
            if not path.is_file():
                raise SignalError(
                    f"{path}: not here; unpack {self.remote.name} from {self.remote.url} into "
                    f"{self.cifar_root}, or set download: true"
                )
            if not check_integrity(str(path), md5):
                raise SignalError(f"{path}: damaged; its MD5 sum is not {md5}; unpack it again")
            with path.open("rb") as file:
                planes.append(_unpickled(file, path))
        pictures = np.concatenate(planes).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(pictures)

    @staticmethod
    def _rows(images: NDArray[np.uint8]) -> PatchDataset:
        features = torch.from_numpy(images.reshape(len(images), -1, 3)).float() / 255.0
        return PatchDataset(grid.coordinates((SIDE, SIDE))[None], features)


_HARMLESS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}
"""All that a pickled array of numbers asks for, of Python 2 or 3 and of numpy 1 or 2."""


class _Arrays(pickle.Unpickler):
    """Plain values and arrays of numbers; nothing else, so that no code can be run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(file: BinaryIO, path: Path) -> NDArray[np.uint8]:
    """The pixels of one part, N 3072."""
    try:
        data = _Arrays(file, encoding="latin1").load()["data"]
    except Exception as error:  # pickles fail in every way
        raise SignalError(f"{path}: no part of CIFAR-10 ({error!s:.80}); unpack it again") from None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.size % (3 * SIDE * SIDE):
        raise SignalError(f"{path}: holds no images of {SIDE} by {SIDE} pixels; unpack it again")
    return data
