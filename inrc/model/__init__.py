"""The model file: weights, integer tables and the card, in one safetensors file."""

from inrc.model.model import SEARCH, VERSION, Model, search

__all__ = ["SEARCH", "VERSION", "Model", "search"]
