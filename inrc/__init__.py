"""inrc: compress any signal that can be asked at a coordinate.

From Python: `data = inrc.compress("t2m.nc", "codec.safetensors")`, and
`signal = inrc.decompress(data, "codec.safetensors")` with its values in `signal.array()`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inrc.api import compress, decompress, load
    from inrc.signal import View

__all__ = ["View", "compress", "decompress", "load"]

_ROOMS = {"compress": "api", "decompress": "api", "load": "api", "View": "signal"}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for: `inrc info` does without."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
