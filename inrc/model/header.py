"""What a model file says before its tensors: the card, the id, and which tensors are equal."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from inrc.errors import ModelError

VERSION = 1
"""Version of the layout of a model file."""
MAX_CARD = 4 << 20
"""Bytes of a card; those of recipes have some KiB."""


@dataclass(frozen=True)
class Header:
    """The metadata of a model file.

    Attributes:
        card: the model's card.
        id: hexadecimal id that the file gives itself; the tensors are not checked against it.
        same: names whose tensor is stored under another name.
        names: of the tensors that are stored.
    """

    card: dict[str, Any]
    id: str
    same: dict[str, str]
    names: tuple[str, ...]


def read_header(path: Path) -> Header:
    """Read the header of a model file; no tensor is loaded.

    Raises:
        ModelError: the file is missing, corrupt, of another version, or not a model, such as a
            checkpoint of a training run.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model file; name a codec.safetensors")
    if path.suffix in (".ckpt", ".pt", ".pth"):
        raise ModelError(
            f"{path}: is a training checkpoint; name the codec.safetensors that the end of "
            "training writes"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            names = tuple(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path}: not a codec model, or corrupt ({error}); get it again"
        ) from error
    card = _json(path, metadata, "card")
    same = _json(path, metadata, "same")
    version = card.get("version")
    if type(version) is not int or version < 1:
        raise ModelError(f"{path}: its card has no version; get the model again")
    if version > VERSION:
        raise ModelError(
            f"{path}: model version {version} is newer than {VERSION}, the newest that this inrc "
            "reads; update inrc"
        )
    if not all(isinstance(name, str) for name in same.values()):
        raise ModelError(f"{path}: its list of equal tensors is corrupt; get the model again")
    return Header(card, metadata.get("id", ""), same, names)


def _json(path: Path, metadata: dict[str, str], key: str) -> dict[str, Any]:
    text = metadata.get(key)
    if text is None:
        raise ModelError(f"{path}: a safetensors file, but not a codec model; name another")
    try:
        value = json.loads(text) if len(text) <= MAX_CARD else None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: its {key} is corrupt; get the model again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path}: its {key} is corrupt; get the model again")
    return value
