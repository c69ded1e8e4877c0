"""The Kodak images, on which image codecs are compared."""

from pathlib import Path
from typing import ClassVar

import PIL.Image

from inrc.errors import SignalError
from inrc.fetch import Remote, fetch
from inrc_modalities.image.data import ImageDataModule, found

COUNT = 24
SIZES = ((768, 512), (512, 768))


class Kodak(ImageDataModule):
    """Validation and test on the Kodak images, training on another folder.

    The 24 photographs of 768 by 512 pixels that Eastman Kodak released for unrestricted use
    (Kodak Lossless True Color Image Suite) are what image codecs are compared on, so nothing is
    ever trained on them.

    Nobody has published checksums of these files: what is downloaded is checked for its format
    and size only.

    Args:
        root: folder with kodim01.png to kodim24.png, or some of them.
        train_root: folder of other photographs to train on.
        download: fetch those of the 24 files (15 MB) that are not there.
        patch: side of the squares that an image is cut into.
        flip: mirror half of the training rows.
        random_patches: train on so many patches per image and epoch, from random places.
        batch_size: rows per step and process.
        workers: processes that read ahead.

    Raises:
        SignalError: a folder without such files, or a file that is none of them.
        InrcError: a file that cannot be downloaded.
    """

    source: ClassVar[str] = "https://r0k.us/graphics/kodak/kodak"

    def __init__(
        self,
        root: Path,
        train_root: Path,
        download: bool = False,
        patch: int | None = 32,
        flip: bool = True,
        random_patches: int | None = None,
        batch_size: int = 64,
        workers: int = 0,
    ) -> None:
        super().__init__(
            root=train_root,
            val_root=root,
            patch=patch,
            flip=flip,
            random_patches=random_patches,
            batch_size=batch_size,
            workers=workers,
        )
        self.train_root = train_root
        self.download = download

    def prepare_data(self) -> None:
        """Fetch what is missing, if that was asked for."""
        assert self.val_root is not None
        if self.download:
            for number in range(1, COUNT + 1):
                remote = self.remote(number)
                if not (self.val_root / remote.name).is_file():
                    check(fetch(remote, self.val_root))
        super().prepare_data()

    def remote(self, number: int) -> Remote:
        """Where one of the images is, by its number from 1."""
        name = f"kodim{number:02d}.png"
        return Remote(
            name,
            f"{self.source}/{name}",
            "released by Eastman Kodak for unrestricted use",
            "Kodak Lossless True Color Image Suite, 1999",
        )

    def files(self) -> tuple[list[Path], list[Path]]:
        """The training folder's images, and the Kodak images; the latter never in the former."""
        assert self.val_root is not None
        kodak = sorted(self.val_root.glob("kodim*.png")) if self.val_root.is_dir() else []
        if not kodak:
            raise SignalError(
                f"{self.val_root}: no kodim*.png here; put those of {self.source} there, "
                "or set download: true"
            )
        return [
            path
            for path in found(self.train_root, self.modality.suffixes)
            if not path.name.startswith("kodim")
        ], kodak


def check(path: Path) -> None:
    """Remove what is no PNG of the size and kind of the Kodak images.

    Raises:
        SignalError: it was none.
    """
    try:
        with PIL.Image.open(path, formats=["PNG"]) as image:
            image.load()
            kind = f"{image.width} by {image.height} pixels of {image.mode}"
            good = image.size in SIZES and image.mode == "RGB"
    except Exception as error:  # decoders raise almost anything
        kind, good = f"no PNG ({' '.join(str(error).split())[:80]})", False
    if not good:
        path.unlink()
        raise SignalError(f"{path}: what came is {kind}, no Kodak image; put it there by hand")
