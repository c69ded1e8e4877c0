"""The Kodak images, on which image codecs are compared."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import PIL.Image

from inrc.data import NamedDataSet
from inrc.errors import SignalError, one_line
from inrc.fetch import Remote, fetch
from inrc_modalities.image.data import ImageDataModule

COUNT = 24
SIZES = ((768, 512), (512, 768))


@dataclass(kw_only=True, eq=False)
class Kodak(NamedDataSet, ImageDataModule):
    """Validation and test on the Kodak images, training on another folder.

    Image codecs are compared on the 24 photographs of 768 by 512 pixels that Eastman Kodak released
    for unrestricted use (Kodak Lossless True Color Image Suite). They are never trained on.

    There are no published checksums of these files: downloads are checked for their format and
    size only.

    Args:
        root: folder with kodim01.png to kodim24.png, or some of them.
        train_root: folder of other photographs to train on.
        download: fetch the missing ones of the 24 files (15 MB).

    Raises:
        SignalError: a folder without such files, or a download that is not a Kodak image.
        InrcError: a file that cannot be downloaded.
    """

    source: ClassVar[str] = "https://r0k.us/graphics/kodak/kodak"

    root: Path = field(kw_only=False)
    train_root: Path
    download: bool = False
    patch: int | None = 32
    flip: bool = True
    batch_size: int = 64

    def prepare_data(self) -> None:
        """Fetch the missing files, if `download` is set."""
        if self.download:
            for number in range(1, COUNT + 1):
                remote = self.remote(number)
                if not (self.root / remote.name).is_file():
                    check(fetch(remote, self.root))
        super().prepare_data()

    def remote(self, number: int) -> Remote:
        """The address of an image, by its number from 1."""
        name = f"kodim{number:02d}.png"
        return Remote(
            name,
            f"{self.source}/{name}",
            "released by Eastman Kodak for unrestricted use",
            "Kodak Lossless True Color Image Suite, 1999",
        )

    def files(self) -> tuple[list[Path], list[Path]]:
        """The images of the training folder without Kodak images, and the Kodak images."""
        kodak = sorted(self.root.glob("kodim*.png")) if self.root.is_dir() else []
        if not kodak:
            raise SignalError(
                f"{self.root}: no kodim*.png in it; put the files of {self.source} there, or "
                "set download: true"
            )
        files = self.list_files(self.train_root)
        train = [path for path in files if not path.name.startswith("kodim")]
        if not train:
            raise SignalError(f"{self.train_root}: only Kodak images; put other photographs there")
        return train, kodak


def check(path: Path) -> None:
    """Check the format and the size of a downloaded file, and remove it if either is wrong.

    Raises:
        SignalError: not a PNG in RGB of 768 by 512 or 512 by 768 pixels.
    """
    try:
        with PIL.Image.open(path, formats=["PNG"]) as image:
            image.load()
            kind = f"{image.width} by {image.height} pixels of {image.mode}"
            valid = image.size in SIZES and image.mode == "RGB"
    except Exception as error:  # decoders raise almost anything
        kind, valid = f"not a PNG ({one_line(error):.80})", False
    if not valid:
        path.unlink()
        raise SignalError(f"{path}: not a Kodak image but {kind}; put the file there by hand")
