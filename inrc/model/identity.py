"""What a model file stores beside its card, and the id of all that decoding depends on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from inrc.container import ID_BYTES, Item, packed, plain
from inrc.methods import Network
from inrc.model.building import STATE

DEFAULT = "card.default"
"""Name of the tensor that holds the default item."""


def stored_tensors(network: Network, default: Item) -> dict[str, Tensor]:
    """The tensors of a network and the default item, by the names in a model file."""
    tensors: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        parts = value.items() if key.endswith(STATE) else [(None, value)]
        for part, tensor in parts:
            name = key if part is None else f"{key}.{part}"
            tensors[name] = tensor.detach().cpu().contiguous()
    row = packed([default.name, plain(default.meta, "default meta"), default.parts])
    tensors[DEFAULT] = torch.frombuffer(bytearray(row), dtype=torch.uint8)
    return tensors


def identity(network: Network, card: Mapping[str, Any], default: Item) -> bytes:
    """Start of the SHA-256 of everything that decoding depends on; results may be added later."""
    hasher = hashlib.sha256()
    decisive = {key: card[key] for key in ("version", "modality", "method")}
    hasher.update(json.dumps(decisive, sort_keys=True).encode())
    for name, tensor in sorted(stored_tensors(network, default).items()):
        hasher.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        hasher.update(tensor.numpy().tobytes())
    return hasher.digest()[:ID_BYTES]
