"""How tensors lie in a model file: equal ones once, probability tables without padding."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from inrc.errors import ModelError

TABLES = "_extra_state."
MAX_PADDING = 64
"""Entries of padded tables for each that is stored; those of real codecs have up to 10."""
FREE_ENTRIES = 1 << 20


def deduplicate(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors to store, and the names that stand for another name's tensor.

    The quality levels start from the same transform, which is most of a model in closed form; rows
    of counts are as long as the longest of them, and their entries are below 2^16.
    """
    kept: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    seen: dict[tuple[torch.dtype, tuple[int, ...], bytes], str] = {}
    for name, tensor in tensors.items():
        key = (tensor.dtype, tuple(tensor.shape), tensor.numpy().tobytes())
        if key in seen:
            same[name] = seen[key]
            continue
        seen[key] = name
        if name.endswith(f"{TABLES}counts"):
            lengths = tensors[name.removesuffix("counts") + "lengths"].numpy()
            inside = np.arange(tensor.shape[1]) < lengths[:, None]
            tensor = torch.from_numpy(tensor.numpy()[inside].astype(np.uint16))
        kept[name] = tensor
    return kept, same


def restore_duplicates(kept: Mapping[str, Tensor], same: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors that `compress` was given; equal ones share their memory.

    Raises:
        ModelError: a name that nothing is stored under, or malformed tables.
    """
    tensors = dict(kept)
    for name, tensor in kept.items():
        if name.endswith(f"{TABLES}counts"):
            of_lengths = name.removesuffix("counts") + "lengths"
            lengths = kept.get(of_lengths, kept.get(same.get(of_lengths, "")))
            tensors[name] = _padded(name, tensor, lengths)
    for name, other in same.items():
        if other not in tensors or name in kept:
            raise ModelError(f"{name:.80} stands for {other:.80}, which is not stored")
        tensors[name] = tensors[other]
    return tensors


def _padded(name: str, counts: Tensor, lengths: Tensor | None) -> Tensor:
    if (
        lengths is None
        or lengths.dim() != 1
        or counts.dim() != 1
        or counts.dtype != torch.uint16
        or lengths.dtype != torch.int32
        or len(lengths) == 0
        or int(lengths.min()) < 1
        or int(lengths.long().sum()) != len(counts)
        or len(lengths) * int(lengths.max()) > MAX_PADDING * len(counts) + FREE_ENTRIES
    ):
        raise ModelError(f"{name:.80}: malformed probability tables")
    rows = np.zeros((len(lengths), int(lengths.max())), np.int32)
    rows[np.arange(rows.shape[1]) < lengths.numpy()[:, None]] = counts.numpy()
    return torch.from_numpy(rows)
