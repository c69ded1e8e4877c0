"""`xr.open_dataset("t2m.inrc", engine="inrc")`: the decoded file, read only when asked for.

xarray imports every engine at its first `open_dataset`, so nothing here imports torch.
"""

from inrc.xarray_engine.backend import InrcBackend

__all__ = ["InrcBackend"]
