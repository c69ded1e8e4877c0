"""Adapters: how the latent of a signal is found."""

from inrc.adapt.adapter import Adapter, Distortion, Predict, distortion
from inrc.adapt.gauss_newton import GaussNewton
from inrc.adapt.gaussian import Prior
from inrc.adapt.long import SoapFit
from inrc.adapt.meta_sgd import MetaSGD
from inrc.adapt.variational import Variational

__all__ = [
    "Adapter",
    "Distortion",
    "GaussNewton",
    "MetaSGD",
    "Predict",
    "Prior",
    "SoapFit",
    "Variational",
    "distortion",
]  # fmt: skip
