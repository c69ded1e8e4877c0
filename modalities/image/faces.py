"""CelebA-HQ as training data: faces, reduced to the size that papers compare on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import PIL.Image
from tqdm import tqdm

from inrc.data import NamedDataSet, option
from inrc.errors import SignalError
from inrc_modalities.image.data import ImageDataModule
from inrc_modalities.image.pixels import Pixels, recast
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import save

SOURCE = "https://github.com/tkarras/progressive_growing_of_gans"
"""The program that makes CelebA-HQ; its files have no stable public address and no checksums."""


@dataclass(kw_only=True, eq=False)
class CelebAHQ(NamedDataSet, ImageDataModule):
    """CelebA-HQ, 30,000 faces, each reduced to `side` by `side` pixels by averaging.

    The first nine tenths by number are for training and the last for validation: 27,000 and 3,000,
    as many as in Functa and VC-INR, which do not publish which faces they use. The reduced files
    are written once, to `reduced`, because quality is measured on files.

    The files must be put there by hand: the authors of the data set ask their users to agree to
    non-commercial research use only. The layout is checked: square images, named by numbers, in any
    folders. Cite T. Karras et al., "Progressive growing of GANs for improved
    quality, stability, and variation", 2018, and Z. Liu et al., "Deep learning face attributes in
    the wild", 2015.

    Args:
        root: folder of the images, such as 00000.jpg or 0.png, searched recursively.
        side: pixels per side of the reduced images.
        count: number of images to use, the first by number; None uses all.
        reduced: folder of the reduced images.

    Raises:
        UsageError: a side below 1, or a count below 2.
        SignalError: no images, or images in another layout.
    """

    root: Path = field(kw_only=False)
    side: int = option(64, least=1)
    count: int | None = option(None, least=2)
    reduced: Path = Path("runs/data/celebahq")
    flip: bool = True
    batch_size: int = 64
    val_fraction: float = 0.1

    def prepare_data(self) -> None:
        """Write the reduced images that are not there yet."""
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
            raise SignalError(f"{absent[0]}: no such file; call prepare_data first")
        return self.hold_out(paths)

    def _faces(self) -> list[Path]:
        if not self.root.is_dir():
            raise SignalError(
                f"{self.root}: no such folder; CelebA-HQ must be put there by hand, as "
                f"{SOURCE} makes it"
            )
        faces = self.list_files(self.root)
        unnumbered = [face for face in faces if not face.stem.isdecimal()]
        if unnumbered:
            raise SignalError(
                f"{unnumbered[0]}: not named by a number; name images of CelebA-HQ like 00000.jpg"
            )
        faces.sort(key=lambda face: int(face.stem))
        for one, two in pairwise(faces):
            if int(one.stem) == int(two.stem):
                raise SignalError(f"{two}: same number as {one}; keep one of them")
        if len(faces) < 2:
            raise SignalError(f"{self.root}: only one image; give 2 or more of the 30,000")
        return faces[: self.count]

    def _paths(self, faces: Sequence[Path]) -> list[Path]:
        folder = self.reduced / f"{self.side}"
        return [folder / f"{int(face.stem):05d}.png" for face in faces]


def reduce(path: Path, side: int) -> Pixels:
    """A square photograph in 8-bit RGB, each pixel the mean of the pixels that it covers.

    Raises:
        SignalError: an image that is not square, too small, or not of 8 bits.
    """
    pixels = load(path)
    height, width = pixels.array.shape[:2]
    if height != width or height < side or pixels.depth != 8:
        raise SignalError(
            f"{path}: {width} by {height} pixels of {pixels.depth} bits; give square images of "
            f"{side} pixels or more, in 8 bits"
        )
    rgb = recast(pixels.array, pixels.mode, "RGB", pixels.peak)
    small = PIL.Image.fromarray(rgb).resize((side, side), PIL.Image.Resampling.BOX)
    return Pixels(np.asarray(small), "RGB")
