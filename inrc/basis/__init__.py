"""The continuous basis: a field whose best linear part is found in closed form."""

from inrc.basis.field import BasisField

__all__ = ["BasisField"]
