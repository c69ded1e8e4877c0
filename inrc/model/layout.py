"""How tensors lie in a model file: equal ones once, tables without what pads them."""

import numpy as np
import torch
from torch import Tensor

from inrc.errors import ModelError

_TABLES = "_extra_state."


def deduplicate(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors to store, and which names stand for another's tensor.

    The quality levels of all quality levels start from the same transform, which is most of a closed-form model; rows
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
        if name.endswith(f"{_TABLES}counts"):
            lengths = tensors[name.removesuffix("counts") + "lengths"].numpy()
            inside = np.arange(tensor.shape[1]) < lengths[:, None]
            tensor = torch.from_numpy(tensor.numpy()[inside].astype(np.uint16))
        kept[name] = tensor
    return kept, same


def restore_duplicates(kept: dict[str, Tensor], same: dict[str, str]) -> dict[str, Tensor]:
    """What `compress` was given; tensors of the first version come back as they are.

    Raises ModelError for names that nothing is stored under.
    """
    tensors = dict(kept)
    for name, tensor in kept.items():
        if name.endswith(f"{_TABLES}counts") and tensor.dim() == 1:
            name_of_lengths = name.removesuffix("counts") + "lengths"
            lengths = kept.get(name_of_lengths, kept.get(same.get(name_of_lengths, "")))
            if lengths is None or int(lengths.sum()) != len(tensor):
                raise ModelError("probability tables of another size than it says")
            rows = np.zeros((len(lengths), int(lengths.max())), np.int32)
            rows[np.arange(rows.shape[1]) < lengths.numpy()[:, None]] = tensor.numpy()
            tensors[name] = torch.from_numpy(rows)
    for name, other in dict(same).items():
        if other not in tensors:
            raise ModelError(f"{name} stands for {other}, which is missing")
        tensors[name] = tensors[other].clone()
    return tensors
