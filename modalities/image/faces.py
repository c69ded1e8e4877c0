"""CelebA-HQ as training data: faces, reduced to the size that papers compare on."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
from tqdm import tqdm

from inrc.errors import SignalError, UsageError
from inrc_modalities.image.data import ImageDataModule, found
from inrc_modalities.image.modality import Image
from inrc_modalities.image.pixels import Pixels, recast
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save

SOURCE = "https://github.com/tkarras/progressive_growing_of_gans"
"""What CelebA-HQ is made with; its files have no stable public address, nor checksums."""


class CelebAHQ(ImageDataModule):
    """CelebA-HQ, 30,000 faces, each reduced to `side` by `side` pixels by averaging.

    The first nine tenths by number are for training and the last for validation: 27,000 and 3,000,
    as many as Functa and VC-INR take; which faces these are has not been published. The reduced
    files are written once, to `reduced`, because codecs are judged on files.

    The files must be put there by hand, as the authors of the data set ask their users to agree to
    non-commercial research use only. What is checked is the layout: square images, named by
    numbers, in any folders. Cite T. Karras et al., "Progressive growing of GANs for improved
    quality, stability, and variation", 2018, and Z. Liu et al., "Deep learning face attributes in
    the wild", 2015.

    Args:
        root: folder of the images, 00000.jpg or 0.png, say, searched recursively.
        side: pixels per side to reduce them to.
        count: take only the first so many images.
        reduced: where the reduced images go.
        flip: mirror half of the training rows left to right, anew in every epoch.
        batch_size: rows per step and process.
        val_fraction: share of the images kept for validation.
        workers: processes that read ahead.

    Raises:
        SignalError: no images, or other ones than those described.
    """

    def __init__(
        self,
        root: Path,
        side: int = 64,
        count: int | None = None,
        reduced: Path = Path("runs/data/celebahq"),
        flip: bool = True,
        batch_size: int = 64,
        val_fraction: float = 0.1,
        workers: int = 0,
    ) -> None:
        if side < 1 or (count is not None and count < 2):
            raise UsageError("faces: side must be 1 or more, and count 2 or more, or none")
        super().__init__(
            root=root, flip=flip, batch_size=batch_size, val_fraction=val_fraction, workers=workers
        )
        self.faces_root = root
        self.side = side
        self.count = count
        self.reduced = reduced

    def prepare_data(self) -> None:
        """Write the reduced images, those that are not there yet."""
        faces = self._faces()
        missing = [
            (face, path)
            for face, path in zip(faces, self._paths(faces), strict=True)
            if not path.is_file()
        ]
        for face, path in tqdm(missing, desc="faces", disable=None, leave=False, delay=1):
            path.parent.mkdir(parents=True, exist_ok=True)
            save(reduce(face, self.side), path)

    def files(self) -> tuple[list[Path], list[Path]]:
        """Reduced images to train on, and to validate on."""
        paths = self._paths(self._faces())
        absent = [path for path in paths if not path.is_file()]
        if absent:
            raise SignalError(f"{absent[0]}: not there yet; call prepare_data first")
        held = min(max(round(len(paths) * self.val_fraction), 1), len(paths) - 1)
        return paths[: len(paths) - held], paths[len(paths) - held :]

    def _faces(self) -> list[Path]:
        if not self.faces_root.is_dir():
            raise SignalError(
                f"{self.faces_root}: no such folder; CelebA-HQ must be put there by hand, made as "
                f"{SOURCE} says"
            )
        faces = found(self.faces_root, Image.suffixes)
        unnumbered = [face for face in faces if not face.stem.isdecimal()]
        if unnumbered:
            raise SignalError(
                f"{unnumbered[0]}: images of CelebA-HQ are named by numbers, 00000.jpg"
            )
        faces.sort(key=lambda face: int(face.stem))
        for one, two in pairwise(faces):
            if int(one.stem) == int(two.stem):
                raise SignalError(f"{two}: has the number of {one}; keep one of them")
        if len(faces) < 2:
            raise SignalError(f"{self.faces_root}: one image only; CelebA-HQ has 30,000")
        return faces[: self.count]

    def _paths(self, faces: Sequence[Path]) -> list[Path]:
        folder = self.reduced / f"{self.side}"
        return [folder / f"{int(face.stem):05d}.png" for face in faces]


def reduce(path: Path, side: int) -> Pixels:
    """A square photograph in 8-bit RGB, each pixel the mean of what it covers.

    Raises:
        SignalError: not square, too small, or not of 8 bits.
    """
    pixels = load(path)
    height, width = pixels.array.shape[:2]
    if height != width or height < side or pixels.depth != 8:
        raise SignalError(
            f"{path}: {width} by {height} pixels of {pixels.depth} bits; faces are square, of "
            f"{side} pixels or more, and of 8 bits"
        )
    rgb = recast(pixels.array, pixels.mode, "RGB", pixels.peak)
    small = PIL.Image.fromarray(rgb).resize((side, side), PIL.Image.Resampling.BOX)
    return Pixels(np.asarray(small), "RGB")
