"""The card of a file that needs no model: what reads it, and how its network is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inrc.container.block import deflated, impossible, inflated
from inrc.container.difference import packed, plain
from inrc.errors import ContainerError

OWN = bytes(6)
"""The model id of a file that needs no model."""
MAX_CARD = 1 << 16
"""Bytes of a card: thousands of times what any needs, and nothing to worry about."""


@dataclass(frozen=True)
class Card:
    """A modality and a method by their names, with the settings that decoding needs."""

    modality: str
    modality_settings: Mapping[str, Any]
    method: str
    method_settings: Mapping[str, Any]


def write_card(card: Card) -> bytes:
    """The bytes of a card.

    Raises ContainerError for settings that are not plain, or too long.
    """
    settings = plain(card.modality_settings, "modality"), plain(card.method_settings, "method")
    data = deflated(packed([card.modality, settings[0], card.method, settings[1]]))
    if len(data) > MAX_CARD:
        raise ContainerError(f"settings of {len(data)} bytes, of at most {MAX_CARD}")
    return data


def read_card(data: bytes) -> Card:
    """The card of these bytes.

    Raises ContainerError for whatever `write_card` would not have written.
    """
    if not 1 <= len(data) <= MAX_CARD:
        impossible(f"a card of {len(data)} bytes")
    row = inflated(data)
    if not isinstance(row, list) or [type(each) for each in row] != [str, dict, str, dict]:
        impossible("a card that is none")
    return Card(*row)
