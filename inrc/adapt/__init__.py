"""Adapters: from observations to latents."""

from inrc.adapt.adapter import Adapter
from inrc.adapt.gauss_newton import GaussNewton
from inrc.adapt.long import SoapFit
from inrc.adapt.meta_sgd import MetaSGD
from inrc.adapt.problem import Distortion, Predict, Problem, distortion, rows_of
from inrc.adapt.variational import Variational

__all__ = [
    "Adapter",
    "Distortion",
    "GaussNewton",
    "MetaSGD",
    "Predict",
    "Problem",
    "SoapFit",
    "Variational",
    "distortion",
    "rows_of",
]  # fmt: skip
