"""Variables whose numbers are names: flags, masks of bits, truth values, labels."""

import numpy as np

from inrc_modalities.era5 import storage

_FLAGS = ("flag_values", "flag_masks", "flag_meanings")  # CF conventions 3.5
_NAMES = {"area_type", "region", "land_cover", "land_cover_lccs", "soil_type", "status_flag"}
"""Standard names of labels; all that end in `_flag` are, too."""
_WITHOUT_UNIT = {"", "1", "~", "none", "-", "dimensionless", "unitless"}


def declared(variable: storage.Variable) -> str | None:
    """The attribute that declares a variable categorical; None without one."""
    attrs = set(variable.ncattrs())
    for name in _FLAGS:
        if name in attrs:
            return name
    # how xarray stores truth values; the Python attribute of that name hides it
    if "dtype" in attrs and str(variable.getncattr("dtype")).lower() == "bool":
        return "dtype"
    standard = str(getattr(variable, "standard_name", "")).split()
    if standard and (standard[0] in _NAMES or standard[-1].endswith("_flag")):
        return "standard_name"
    if str(getattr(variable, "units", "")).lower().startswith("code table"):  # of GRIB
        return "units"
    return None


def likely(variable: storage.Variable) -> bool:
    """Whether a variable is categorical by its looks: integers without unit, scale and offset."""
    if declared(variable) is not None:
        return True
    attrs = set(variable.ncattrs())
    unit = str(getattr(variable, "units", "")).strip().lower()
    packed = {"scale_factor", "add_offset"} & attrs
    return np.dtype(variable.dtype).kind in "iu" and not packed and unit in _WITHOUT_UNIT
