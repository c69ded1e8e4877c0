"""A network that a card describes, built within limits and then filled with a file's tensors."""

import math
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
    kind = registry.modalities.find(name if isinstance(name, str) else repr(name)[:40])
    check_settings(kind, settings)
    return kind(**settings)


def method_of(name: Any, settings: Any) -> Method:
    """The method of a card.

    Raises:
        ModelError: settings that it does not take.
        RegistryError: it is not installed.
    """
    kind = registry.methods.find(name if isinstance(name, str) else repr(name)[:40])
    check_settings(kind, settings)
    return kind(**settings)


def fill(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Give a network its tensors; they are used as they are, and not copied.

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
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{name}: has values that are not finite")


class Limits(TorchFunctionMode):
    """Ends the building of a network that is far larger than its file, before it is allocated.

    Args:
        tensors: number of tensors that the network is expected to have.
        check: called with the bytes that the tensors take so far, before each is allocated; it
            raises an error for too many.

    Raises:
        ModelError: settings of a network that has far more tensors.
    """

    def __init__(self, tensors: int, check: Callable[[int], None]) -> None:
        super().__init__()
        self.left = _FREE_CALLS + _CALLS_PER_TENSOR * tensors
        self.check = check
        self.bytes = 0

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
        if func in _FACTORIES:
            self.bytes += 4 * _values(func, args)
            self.check(self.bytes)
        return func(*args, **(kwargs or {}))


_FACTORIES = (
    torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.rand,
    torch.randn, torch.zeros,
)  # fmt: skip


def _values(func: Callable[..., Any], args: Sequence[Any]) -> int:
    """Number of values of the tensor that a factory is called for."""
    if func in (torch.arange, torch.linspace):  # steps or end, whichever is given last
        return max((int(each) for each in args if isinstance(each, int | float)), default=0)
    if func is torch.eye:
        return int(args[0]) * int(args[-1])
    sizes = args[0] if args and isinstance(args[0], Sequence) else args
    return math.prod(int(each) for each in sizes)
