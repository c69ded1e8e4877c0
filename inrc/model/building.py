"""A network that a card describes, built without memory and then filled with a file's tensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from inrc import registry
from inrc.errors import ModelError
from inrc.methods import Method, Network
from inrc.model.settings import check_settings
from inrc.signal import Modality

STATE = "_extra_state"
_CALLS_PER_TENSOR, _FREE_CALLS = 20, 1000  # of torch; real networks make up to five for a tensor


def modality_of(name: Any, settings: Any) -> Modality:
    """The modality of a card.

    Raises:
        ModelError: settings that it does not take.
        RegistryError: it is not installed.
        SignalError: values that it refuses.
    """
    kind = registry.find(name if isinstance(name, str) else repr(name)[:40])
    check_settings(kind, settings)
    return kind(**settings)


def method_of(name: Any, settings: Any) -> Method:
    """The method of a card.

    Raises:
        ModelError: it is unknown, or does not take the settings.
    """
    kind = Method.kind(name if isinstance(name, str) else repr(name)[:40])
    check_settings(kind, settings)
    return kind(**settings)


def outline(method: Method, modality: Modality, tensors: int) -> Network:
    """The network of a method without memory for its tensors, on torch's meta device.

    Raises:
        ModelError: settings of a network that has far more than so many tensors.
    """
    with torch.device("meta"), _Limited(_FREE_CALLS + _CALLS_PER_TENSOR * tensors):
        return method.build(modality.point_dim, modality.value_dim, modality)


def size(network: Network) -> int:
    """Bytes of all tensors of a network, which may be an outline."""
    tensors = [*network.parameters(), *network.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def fill(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Give an outline its tensors; they are used as they are, and not copied.

    Raises:
        ModelError: other names, shapes or types than the network's.
    """
    state: dict[str, Any] = {}
    for key, tensor in tensors.items():
        prefix, extra, part = key.partition(f"{STATE}.")
        if extra:
            state.setdefault(prefix + STATE, {})[part] = tensor
        else:
            state[key] = tensor
    expected = network.state_dict()
    for key, value in expected.items():
        if key.endswith(STATE):
            state.setdefault(key, {})
        elif key in state and state[key].dtype != value.dtype:
            raise ModelError(f"{key}: is {state[key].dtype}, and the network has {value.dtype}")
    network.load_state_dict(state, assign=True)
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if tensor.is_meta:
            raise ModelError(f"{name}: a tensor of the network that a model file does not hold")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{name}: has values that are not finite")


class _Limited(TorchFunctionMode):
    """Ends the building of a network whose card declares far more layers than its file holds."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.left -= 1
        if self.left < 0:
            raise ModelError("its settings describe far more layers than it has tensors")
        return func(*args, **(kwargs or {}))
