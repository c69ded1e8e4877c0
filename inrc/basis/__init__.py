"""The continuous basis: a field whose best linear part has a closed form."""

from inrc.basis.field import BasisField

__all__ = ["BasisField"]
