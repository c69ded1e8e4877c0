"""The model file: weights, integer tables and the card, in one safetensors file."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from inrc import registry
from inrc.container import ID_BYTES, OWN, Card, Item, Peek, plain
from inrc.errors import ContainerError, InrcError, ModelError
from inrc.methods import Method, Network
from inrc.model.layout import deduplicate, restore_duplicates
from inrc.signal import Modality

SEARCH = "INRC_MODELS"
"""Environment variable: folders, separated as in PATH, where models are looked up by their id."""
VERSION = 5
"""Version of a model file. 1: every tensor as it is, tables padded; 2: no contexts; 3: no
parts that share blocks; 4: no relief."""
_STATE = "_extra_state"
_DEFAULT = "card.default"


@dataclass
class Model:
    """A trained codec: what both sides of a file must have.

    `card` is what a reader of the model may want to know: modality and method with their settings,
    versions, training data, and `results`, the measured rate-distortion rows. `default` is the
    item that a file is described by its difference to.
    """

    network: Network
    modality: Modality
    card: dict[str, Any]
    default: Item
    id: bytes
    size: int

    @property
    def num_qualities(self) -> int:
        """Rate points, 0 the one with the lowest rate."""
        return len(self.network.bottlenecks)

    @property
    def own(self) -> Card | None:
        """What a file says that needs no model; None if it needs this one."""
        if self.id != OWN:
            return None
        modality, method = self.card["modality"], self.card["method"]
        return Card(modality["name"], modality["settings"], method["name"], method["settings"])

    @staticmethod
    def untrained(method: Method, modality: Modality) -> "Model":
        """A codec of a method that learns nothing; its files need no model."""
        network = method.build(modality.point_dim, modality.value_dim, modality)
        network.eval().requires_grad_(False)
        card = {
            "version": VERSION,
            "modality": {"name": modality.name, "settings": modality.settings()},
            "method": {"name": method.name, "settings": method.decoding()},
        }
        card = json.loads(json.dumps(card))
        return Model(network, modality, card, Item("", {}, 1), OWN, 0)

    @staticmethod
    def of(seen: Peek) -> "Model":
        """The model of a file: from its own card, or by its id from the folders of INRC_MODELS.

        Raises ModelError if it is nowhere to be found, ContainerError for a card that nothing can
        be built from.
        """
        if seen.card is None:
            return search(seen.model_id)
        card = seen.card
        try:
            modality: Modality = registry.find(card.modality)(**card.modality_settings)
            method = Method.named(card.method, dict(card.method_settings))
            if method.learns:
                raise ContainerError(f"its card names {method.name}, which needs a model")
            return Model.untrained(method, modality)
        except (
            KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError,
        ) as error:  # fmt: skip
            reason = " ".join(str(error).split())
            raise ContainerError(f"its card does not make sense ({reason:.100})") from error

    @staticmethod
    def make(
        network: Network, method: Method, modality: Modality, default: Item, about: dict[str, Any]
    ) -> "Model":
        """A model of trained parts; `about` goes to the card."""
        card = {
            "version": VERSION,
            "modality": {"name": modality.name, "settings": modality.settings()},
            "method": {"name": method.name, "settings": method.settings()},
            **about,
        }
        card = json.loads(json.dumps(card))
        return Model(network, modality, card, default, _identity(network, card, default), 0)

    def save(self, path: Path) -> None:
        """Write the model file."""
        tensors, same = deduplicate(_tensors(self.network, self.default))
        about = {"card": json.dumps(self.card, sort_keys=True), "same": json.dumps(same)}
        data = save(tensors, about)
        path.write_bytes(data)
        self.size = len(data)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read a model file.

        Raises ModelError if it is missing, damaged, of a newer version, or something else, such as
        a checkpoint of a training run.
        """
        if not path.is_file():
            raise ModelError(f"{path}: no such model file")
        if path.suffix in (".ckpt", ".pt", ".pth"):
            raise ModelError(
                f"{path}: this is a training checkpoint; give the codec.safetensors that the end "
                "of training writes"
            )
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            card = json.loads(metadata["card"])
            version = card["version"]
            same = json.loads(metadata.get("same", "{}"))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: not a codec model, or damaged ({error})") from error
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(f"{path}: a safetensors file, but without a codec's card") from error
        if version > VERSION:
            raise ModelError(f"{path}: model version {version} is newer than {VERSION}: update")
        try:
            return _assemble(card, restore_duplicates(tensors, same), path.stat().st_size)
        except InrcError as error:
            raise ModelError(f"{path}: {error}") from error
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"{path}: the card and the weights do not fit ({reason})") from error


def _assemble(card: dict[str, Any], tensors: dict[str, Tensor], size: int) -> Model:
    modality: Modality = registry.find(card["modality"]["name"])(**card["modality"]["settings"])
    method = Method.named(card["method"]["name"], card["method"]["settings"])
    network = method.build(modality.point_dim, modality.value_dim, modality)
    name, meta, parts = msgpack.unpackb(tensors.pop(_DEFAULT).numpy().tobytes())
    state: dict[str, Any] = {}
    for key, tensor in tensors.items():
        prefix, found, part = key.partition(_STATE + ".")
        if found:
            state.setdefault(prefix + _STATE, {})[part] = tensor
        else:
            state[key] = tensor
    for key in network.state_dict():
        if key.endswith(_STATE):
            state.setdefault(key, {})
    network.load_state_dict(state)
    network.eval().requires_grad_(False)
    default = Item(name, meta, parts)
    return Model(network, modality, card, default, _identity(network, card, default), size)


def _tensors(network: Network, default: Item) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for key, value in network.state_dict().items():
        parts = value.items() if key.endswith(_STATE) else [(None, value)]
        for part, tensor in parts:
            name = key if part is None else f"{key}.{part}"
            tensors[name] = tensor.detach().cpu().contiguous().clone()
    packed = msgpack.packb([default.name, plain(default.meta, "default meta"), default.parts])
    tensors[_DEFAULT] = torch.frombuffer(bytearray(packed), dtype=torch.uint8)
    return tensors


def _identity(network: Network, card: Mapping[str, Any], default: Item) -> bytes:
    """Start of the SHA-256 of everything that decoding depends on; results may be added later."""
    hasher = hashlib.sha256()
    decisive = {key: card[key] for key in ("version", "modality", "method")}
    hasher.update(json.dumps(decisive, sort_keys=True).encode())
    for name, tensor in sorted(_tensors(network, default).items()):
        hasher.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        hasher.update(tensor.numpy().tobytes())
    return hasher.digest()[:ID_BYTES]


def search(model_id: bytes) -> Model:
    """The model of this id from the folders of INRC_MODELS; what is broken there is passed over.

    Raises ModelError if it is nowhere to be found.
    """
    folders = [Path(folder) for folder in os.environ.get(SEARCH, "").split(os.pathsep) if folder]
    for candidate in (file for folder in folders for file in sorted(folder.rglob("*.safetensors"))):
        try:
            model = Model.load(candidate)
        except ModelError as error:
            warnings.warn(str(error), stacklevel=2)
            continue
        if model.id == model_id:
            return model
    raise ModelError(f"model {model_id.hex()} is needed: name it, or put its folder in {SEARCH}")
