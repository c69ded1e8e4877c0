"""Attributes that name other variables, when some of those are left out."""

import re
from collections.abc import Container, Mapping
from typing import Any

# CF conventions, appendix A
_LISTS = ("bounds", "climatology", "ancillary_variables", "coordinates")
_PAIRS = ("cell_measures", "formula_terms")  # "area: areacella volume: volcello"
_MAPPINGS = "grid_mapping"  # a name, or "crs: lat lon"


def without(attrs: Mapping[str, Any], gone: Container[str]) -> dict[str, Any]:
    """Attributes that no longer name the variables `gone`."""
    kept = {}
    for key, value in attrs.items():
        new = value
        if isinstance(value, str):
            if key in _LISTS:
                new = " ".join(word for word in value.split() if word not in gone)
            elif key in _PAIRS:
                new = " ".join(f"{term}: {name}" for term, name in pairs(value) if name not in gone)
            elif key == _MAPPINGS and any(word.rstrip(":") in gone for word in value.split()):
                new = ""
            if new == "" != value:
                continue
            # as it was, to the last blank, if all are still there
            new = value if new.split() == value.split() else new
        kept[key] = new
    return kept


def pairs(value: str) -> list[tuple[str, str]]:
    """The terms and names of `term: name term: name`."""
    return re.findall(r"(\S+?)\s*:\s*(\S+)", value)


def cell_measures(attributes: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Names of the variables that are areas or volumes of cells.

    Args:
        attributes: for each variable, its attributes.
    """
    names = set()
    for name, attrs in attributes.items():
        if attrs.get("standard_name") in ("cell_area", "cell_thickness", "grid_cell_area"):
            names.add(name)
        measures = attrs.get("cell_measures")
        if isinstance(measures, str):
            names |= {named for _, named in pairs(measures)}
    return names


def bounds(attributes: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Names of the variables that are bounds of cells."""
    return {
        str(attrs[key])
        for attrs in attributes.values()
        for key in ("bounds", "climatology")
        if isinstance(attrs.get(key), str)
    }
