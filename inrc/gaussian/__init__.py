"""Factorised Gaussians over the weights of a field: priors, posteriors, divergences."""

from inrc.gaussian.posterior import Posterior
from inrc.gaussian.prior import (
    NATS,
    Prior,
    deviation,
    divergence,
    inverse_deviation,
    temper,
)

__all__ = [
    "NATS", "Posterior", "Prior", "deviation", "divergence", "inverse_deviation", "temper",
]  # fmt: skip
