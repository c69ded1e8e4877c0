"""CompressAI's learned image codecs, trained on a user's pictures and kept beside a model.

Bytes of a picture: the number of the autoencoder, height, width and, with two strings, the length
of the first, each in seven bits a byte; then the strings of the library's range coder. The weights
of the networks are not counted, as those of a model are not. The entropy model of the hyperprior is
computed in floating point, so its strings are safe only on the machine that wrote them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as dump
from torch import Tensor
from torch.nn import functional

from inrc.errors import ModelError, one_line
from inrc.files import atomic_write
from inrc.signal import Baseline
from inrc.varint import read_varint, write_varint
from inrc_modalities.image.baselines import Codec, Levels

KINDS = {"bmshj2018-factorized": "FactorizedPrior", "bmshj2018-hyperprior": "ScaleHyperprior"}
"""Names of the codecs (Ballé et al., arXiv:1802.01436) and of their classes in CompressAI."""
STORED = {"1": "RGB", "L": "RGB", "RGB": "RGB"}
"""The layout of the networks for each layout that they support."""
COMMAND = "python -m inrc_modalities.image.train_autoencoder FOLDER"
VERSION = "1"
_WORD = 4
"""Bytes of a word of the library's range coder."""


@dataclass(frozen=True)
class Autoencoders:
    """Autoencoders of one kind by the lambda of their distortion, coarse to fine."""

    kind: str
    models: Mapping[float, Any]
    settings: Mapping[str, Any]
    """How they were trained; plain values."""

    def encode(self, array: Levels, lmbda: float) -> bytes:
        """All bytes of a picture H W 3 of uint8."""
        number, model = list(self.models).index(lmbda), self.models[lmbda]
        picture = torch.from_numpy(np.array(array)).permute(2, 0, 1)[None] / 255.0
        with torch.no_grad():
            made = model.compress(padded(picture, model.downsampling_factor))
        first, *rest = (strings[0] for strings in made["strings"])
        head = [number, *array.shape[:2], *([len(first)] if rest else [])]
        return b"".join((*map(write_varint, head), first, *rest))

    def decode(self, data: bytes) -> Levels:
        """Pixels H W 3 of uint8.

        Raises ValueError for bytes that these autoencoders cannot have written.
        """
        numbers, at = [], 0
        for _ in range(3 if self.kind == "bmshj2018-factorized" else 4):
            number, at = read_varint(data, at)
            numbers.append(number)
        which, height, width, *length = numbers
        cut = at + (length[0] if length else len(data) - at)
        strings = [data[at:cut], data[cut:]] if length else [data[at:]]
        limit = PIL.Image.MAX_IMAGE_PIXELS or float("inf")
        if which >= len(self.models) or not 0 < height * width <= limit:
            raise ValueError("not a picture of these autoencoders")
        if any(len(each) < _WORD or len(each) % _WORD for each in strings):
            raise ValueError("a string that is cut short")
        model = list(self.models.values())[which]
        factor = model.downsampling_factor
        shape = (-(-height // factor), -(-width // factor))
        with torch.no_grad():
            picture = model.decompress([[each] for each in strings], shape)["x_hat"]
        pixels = picture[0, :, :height, :width].permute(1, 2, 0).numpy()
        return np.floor(pixels * 255.0 + 0.5).astype(np.uint8)


def padded(pictures: Float[Tensor, "B 3 H W"], factor: int) -> Float[Tensor, "B 3 h w"]:
    """Pictures padded by repeating the last rows and columns, to sides that `factor` divides."""
    height, width = pictures.shape[2:]
    return functional.pad(pictures, (0, -width % factor, 0, -height % factor), mode="replicate")


def network(kind: str) -> Any:
    """The class of a kind in CompressAI."""
    from compressai.models import google  # takes seconds to import

    return getattr(google, KINDS[kind])


def beside(model: Path, kind: str) -> Path:
    """The file of the autoencoders beside a model."""
    return model.with_name(f"{model.stem}.{kind}.safetensors")


def save(trained: Autoencoders, path: Path) -> None:
    """Write autoencoders, complete or not at all.

    Raises InrcError or OSError as `atomic_write` does.
    """
    tensors = {
        f"{lmbda!r}/{name}": tensor.contiguous()
        for lmbda, model in trained.models.items()
        for name, tensor in model.state_dict().items()
    }
    about = {
        "version": VERSION, "kind": trained.kind, "lambdas": json.dumps(list(trained.models)),
        "settings": json.dumps(dict(trained.settings)), "sha256": _digest(tensors),
    }  # fmt: skip
    with atomic_write(path, overwrite=True) as part:
        part.write_bytes(dump(tensors, about))


def load(path: Path) -> Autoencoders:
    """Read what `save` wrote.

    Raises ModelError for a file that is missing, damaged or of another kind.
    """
    about = _about(path)
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if _digest(tensors) != about["sha256"]:
            raise ValueError("checksum")
        models = {}
        for lmbda in json.loads(about["lambdas"]):
            start = f"{lmbda!r}/"
            state = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            models[lmbda] = network(about["kind"]).from_state_dict(state).eval()
        return Autoencoders(about["kind"], models, json.loads(about["settings"]))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise _damaged(path, error) from None


def baselines(model: Path) -> list[Baseline]:
    """Both kinds, beside the file of a model or still to be trained.

    Raises ModelError for a file that is damaged or of another kind.
    """
    return [_baseline(kind, beside(model, kind), model) for kind in KINDS]


def _baseline(kind: str, file: Path, model: Path) -> Baseline:
    encode, decode = partial(_encode, file), partial(_decode, file)
    if not file.is_file():
        command = f"{COMMAND} -m {model} --codec {kind}"
        return Baseline(kind, "lambda", (), encode, decode, file.name, command)
    lambdas = tuple(json.loads(_about(file)["lambdas"]))
    return Baseline(kind, "lambda", lambdas, encode, decode, learned=file)


def _encode(file: Path, original: Path, lmbda: float) -> bytes:
    return _codec(file).write(original, lmbda)


def _decode(file: Path, data: bytes, original: Path, decoded: Path) -> None:
    _codec(file).read(data, original, decoded)


def _codec(file: Path) -> Codec:
    trained = _loaded(file, file.stat().st_mtime if file.is_file() else 0.0)
    return Codec(trained.encode, trained.decode, STORED)


@lru_cache(len(KINDS))
def _loaded(file: Path, changed: float) -> Autoencoders:
    return load(file)


def _about(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            about = dict(file.metadata() or {})
        if about["version"] != VERSION or about["kind"] not in KINDS:
            raise ValueError("of another version")
        return about
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ModelError:
    if not path.exists():
        return ModelError(f"{path}: no such file; train it: {COMMAND}")
    reason = one_line(error)
    return ModelError(f"{path}: not autoencoders, or damaged ({reason:.80}); train them again")


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
