"""Factorised Gaussians over the weights of a field: priors, posteriors, divergences."""

from inrc.gaussian.posterior import Posterior
from inrc.gaussian.prior import (
    NATS,
    Gaussian,
    Prior,
    deviation,
    divergence,
    inverse_deviation,
    temper,
)

__all__ = [
    "NATS", "Gaussian", "Posterior", "Prior", "deviation", "divergence", "inverse_deviation",
    "temper",
]  # fmt: skip
