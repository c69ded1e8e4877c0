"""The model file: weights, integer tables and the card, in one safetensors file."""

from inrc.model.header import VERSION
from inrc.model.model import SEARCH, Expected, Model, search

__all__ = ["SEARCH", "VERSION", "Expected", "Model", "search"]
