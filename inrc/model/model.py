"""A trained codec, and its file: weights, integer tables and the card."""

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from inrc.container import OWN, Card, Item, Peek, parse_item
from inrc.errors import ContainerError, InrcError, ModelError, one_line
from inrc.memory import check_memory, memory_limit
from inrc.methods import Method, Network
from inrc.model import building
from inrc.model.header import VERSION, Header, read_header
from inrc.model.identity import DEFAULT, identity, stored_tensors
from inrc.model.layout import deduplicate, restore_duplicates
from inrc.signal import Modality

SEARCH = "INRC_MODELS"
"""Environment variable: folders, separated as in PATH, where models are looked up by their id."""
_FREE_BYTES, _BYTES_PER_BYTE = 64 << 20, 32  # of a network, for its file: quality levels share
_START_COPIES = 8  # of a network's weights, while those of an untrained one are drawn


@dataclass(frozen=True)
class Expected:
    """What the files of the training data took and lost at a quality level.

    Attributes:
        rate: payload bits per unit, the mean over files.
        max_rate: the highest of a file.
        psnr: dB, the mean over files.
    """

    rate: float
    max_rate: float
    psnr: float


@dataclass
class Model:
    """A trained codec, which both encoding and decoding need.

    `card` is what a reader of the model may want to know: modality and method with their settings,
    versions, training data, `results` (the measured rate-distortion rows) and `expected` (see
    `Expected`, a list over quality levels). `default` is the item that files are described by their
    difference to.
    """

    network: Network
    modality: Modality
    card: dict[str, Any]
    default: Item
    id: bytes
    size: int

    @property
    def num_qualities(self) -> int:
        """Number of quality levels, 0 the one with the lowest rate."""
        return len(self.network.bottlenecks)

    @property
    def own(self) -> Card | None:
        """The card of a file that needs no model; None if its files need this one."""
        if self.id != OWN:
            return None
        modality, method = self.card["modality"], self.card["method"]
        return Card(modality["name"], modality["settings"], method["name"], method["settings"])

    def expected(self, quality: int) -> Expected | None:
        """What files like those of the training take at a quality level, if the card says so."""
        try:
            row = self.card["expected"][quality]
            return Expected(float(row["rate"]), float(row["max_rate"]), float(row["psnr"]))
        except (LookupError, TypeError, ValueError):
            return None

    @staticmethod
    @torch.inference_mode(False)  # its parameters take part in the gradients of an encoder
    def untrained(method: Method, modality: Modality) -> "Model":
        """A codec of a method that learns nothing; its files need no model."""
        network = method.build(modality.point_dim, modality.value_dim, modality)
        network.eval().requires_grad_(False)
        card = _card(modality, method.name, method.decoding(), {})
        return Model(network, modality, card, Item("", {}, 1), OWN, 0)

    @staticmethod
    def of(seen: Peek, max_memory: int | None = None) -> "Model":
        """The model of a file: from its own card, or by its id from the folders of INRC_MODELS.

        Raises:
            ModelError: it is in none of the folders.
            ContainerError: a card that no network can be built from.
            MemoryLimitError: its network takes more than `max_memory` bytes.
        """
        if seen.card is None:
            return search(seen.model_id)
        card = seen.card
        try:
            modality = building.modality_of(card.modality, dict(card.modality_settings))
            method = building.method_of(card.method, dict(card.method_settings))
            if method.learns:
                raise ContainerError(
                    f"its card names the method {method.name}, which needs a model"
                )
            limit = memory_limit(max_memory)

            def check(size: int) -> None:
                check_memory(_START_COPIES * size, limit, "building its network")

            with building.Limits(100, check):
                return Model.untrained(method, modality)
        except ModelError as error:
            raise ContainerError(f"corrupt .inrc file: its card: {error}") from error
        except (
            ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
        ) as error:  # fmt: skip
            reason = one_line(error)
            raise ContainerError(f"corrupt .inrc file: its card ({reason:.100})") from error

    @staticmethod
    def make(
        network: Network, method: Method, modality: Modality, default: Item, about: dict[str, Any]
    ) -> "Model":
        """A model of trained parts; `about` is added to the card."""
        card = _card(modality, method.name, method.settings(), about)
        return Model(network, modality, card, default, identity(network, card, default), 0)

    def renamed(self, names: Mapping[str, str]) -> "Model":
        """The same model for files whose variables have other names; see `Modality.renamed`.

        Raises:
            UsageError: data without named variables.
            SignalError: a name that the model does not have.
        """
        return replace(self, modality=self.modality.renamed(names))

    def save(self, path: Path) -> None:
        """Write the model file, with the id of what it holds."""
        self.id = identity(self.network, self.card, self.default)
        tensors, same = deduplicate(stored_tensors(self.network, self.default))
        about = {
            "card": json.dumps(self.card, sort_keys=True),
            "same": json.dumps(same),
            "id": self.id.hex(),
        }
        data = save({name: tensor.clone() for name, tensor in tensors.items()}, about)
        path.write_bytes(data)
        self.size = len(data)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read a model file.

        Raises:
            ModelError: the file is missing, corrupt, of another version, or not a model, such as a
                checkpoint of a training run.
        """
        header = read_header(path)
        try:
            return _assemble(path, header)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: corrupt ({one_line(error):.100}); get it again") from error
        except InrcError as error:
            raise ModelError(f"{path}: {error}") from error
        except (
            ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, RuntimeError,
            TypeError, ValueError,
        ) as error:  # fmt: skip
            reason = one_line(error)
            raise ModelError(
                f"{path}: its card and its tensors do not match ({reason:.100}); get it again"
            ) from error


def search(model_id: bytes) -> Model:
    """The model of this id from the folders of INRC_MODELS; a file that is corrupt is a warning.

    Only the headers of files are read until one has the id.

    Raises:
        ModelError: no model has it.
    """
    folders = [Path(folder) for folder in os.environ.get(SEARCH, "").split(os.pathsep) if folder]
    for candidate in (file for folder in folders for file in sorted(folder.rglob("*.safetensors"))):
        try:
            if read_header(candidate).id != model_id.hex():
                continue
            return Model.load(candidate)
        except (InrcError, OSError) as error:
            warnings.warn(one_line(error), stacklevel=2)
    raise ModelError(
        f"model {model_id.hex()} is needed; name its file with -m, or put its folder in {SEARCH}"
    )


def _card(
    modality: Modality, method: str, settings: Mapping[str, Any], about: Mapping[str, Any]
) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(
        json.dumps(
            {
                "version": VERSION,
                "modality": {"name": modality.name, "settings": modality.settings()},
                "method": {"name": method, "settings": settings},
                **about,
            }
        )
    )
    return card


@torch.inference_mode(False)  # its parameters take part in the gradients of an encoder
def _assemble(path: Path, header: Header) -> Model:
    card = header.card
    modality = building.modality_of(card["modality"]["name"], card["modality"]["settings"])
    method = building.method_of(card["method"]["name"], card["method"]["settings"])
    limit = _FREE_BYTES + _BYTES_PER_BYTE * path.stat().st_size

    def check(size: int) -> None:
        if size > limit:
            raise ModelError("its settings describe a network that is far larger than the file")

    with building.Limits(len(header.names) + len(header.same), check):
        network = method.build(modality.point_dim, modality.value_dim, modality)
    with safe_open(path, "pt") as file:
        tensors = restore_duplicates(
            {name: file.get_tensor(name) for name in header.names}, header.same
        )
    default = parse_item(tensors.pop(DEFAULT).numpy().tobytes())
    building.fill(network, tensors)
    network.eval().requires_grad_(False)
    real = identity(network, card, default)
    if header.id != real.hex():
        raise ModelError(f"calls itself {header.id:.12}, and is {real.hex()}; get it again")
    return Model(network, modality, card, default, real, path.stat().st_size)
