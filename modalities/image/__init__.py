"""Still images: 8 or 16 bits, grey or colour, with or without transparency.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.image.modality import Image

if TYPE_CHECKING:
    from inrc_modalities.image.cifar import CIFAR10
    from inrc_modalities.image.data import ImageDataModule
    from inrc_modalities.image.faces import CelebAHQ
    from inrc_modalities.image.frames import Vimeo90k
    from inrc_modalities.image.kodak import Kodak

__all__ = ["CIFAR10", "CelebAHQ", "Image", "ImageDataModule", "Kodak", "Vimeo90k"]
__getattr__ = exported(
    __name__,
    CIFAR10="cifar",
    CelebAHQ="faces",
    ImageDataModule="data",
    Kodak="kodak",
    Vimeo90k="frames",
)
