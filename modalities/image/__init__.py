"""Still images: 8 or 16 bits, grey or colour, with or without transparency.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.image.modality import Image

if TYPE_CHECKING:
    from inrc_modalities.image.cifar import CIFAR10
    from inrc_modalities.image.data import ImageDataModule
    from inrc_modalities.image.faces import CelebAHQ
    from inrc_modalities.image.frames import Vimeo90k
    from inrc_modalities.image.kodak import Kodak

__all__ = ["CIFAR10", "CelebAHQ", "Image", "ImageDataModule", "Kodak", "Vimeo90k"]

_LATER = {
    "CIFAR10": "cifar",
    "CelebAHQ": "faces",
    "ImageDataModule": "data",
    "Kodak": "kodak",
    "Vimeo90k": "frames",
}


def __getattr__(name: str) -> Any:
    """Import a DataModule at its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
