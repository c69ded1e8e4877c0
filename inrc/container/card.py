"""The card of a file that needs no model: its modality, its method, and their settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inrc.container.block import corrupt, deflated, inflated
from inrc.container.difference import packed, plain
from inrc.errors import ContainerError

OWN = bytes(6)
"""The model id of a file that needs no model."""
MAX_CARD = 1 << 16
"""Bytes of a card; real cards have less than 2^10."""
MAX_INFLATED = 1 << 20
"""The same before compression."""


@dataclass(frozen=True)
class Card:
    """A modality and a method by their names, with the settings that decoding needs."""

    modality: str
    modality_settings: Mapping[str, Any]
    method: str
    method_settings: Mapping[str, Any]


def write_card(card: Card) -> bytes:
    """The bytes of a card.

    Raises:
        ContainerError: settings that are not plain, or too long.
    """
    settings = plain(card.modality_settings, "modality"), plain(card.method_settings, "method")
    raw = packed([card.modality, settings[0], card.method, settings[1]])
    data = deflated(raw)
    if len(data) > MAX_CARD or len(raw) > MAX_INFLATED:
        raise ContainerError(f"settings of {len(raw)} bytes are too long for a file's header")
    return data


def read_card(data: bytes) -> Card:
    """The card of these bytes.

    Raises:
        ContainerError: bytes that `write_card` cannot have written.
    """
    if not 1 <= len(data) <= MAX_CARD:
        corrupt(f"a card of {len(data)} bytes")
    row = inflated(data, MAX_INFLATED)
    if not isinstance(row, list) or [type(each) for each in row] != [str, dict, str, dict]:
        corrupt("an invalid card")
    return Card(*row)
