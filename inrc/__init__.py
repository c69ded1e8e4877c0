"""inrc: compress any signal that can be asked at a coordinate.

From Python: `data = inrc.compress("t2m.nc", "codec.safetensors")`, and
`signal = inrc.decompress(data, "codec.safetensors")` with its values in `signal.array()`.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported

if TYPE_CHECKING:
    from inrc.api import compress, decompress, load
    from inrc.signal import View

__all__ = ["View", "compress", "decompress", "load"]
__getattr__ = exported(__name__, compress="api", decompress="api", load="api", View="signal")
