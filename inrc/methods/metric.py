"""The metric of a network's latents: what an error of a latent costs in the signal."""

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.adapt import rows_of
from inrc.methods.network import CHUNK, Network

NUM_JACOBIANS = 16
"""Signals at which the derivative of a field with respect to its latent is computed."""
MAX_PROBE_POINTS = 1 << 25
"""Maximum points at which these derivatives evaluate the field: seconds on a CPU."""


@torch.no_grad()
def latent_metric(
    network: Network,
    latents: Float[Tensor, "N K"],
    queries: Float[Tensor, "#N M Q"],
    weights: Float[Tensor, "#N M"] | None,
) -> Float[Tensor, "K K"]:
    """The matrix H of the distortion of a latent error d: mse ~ d^T H d.

    H is the mean over signals of J^T W J / (M C), J the derivative of the features with respect
    to the latent, by central differences at NUM_JACOBIANS of the signals. (Random probes of
    J^T W J would need many times K probes: the eigenvalues of their mean spread by the factors
    (1 +- sqrt(K / probes))^2, Marchenko and Pastur 1967.)
    """
    size = latents.shape[1]
    # far above the rounding of float32, far below the curvature of a field
    spread = latents.square().mean(0).sqrt()  # K
    length = 0.02 * spread.clamp_min(0.1 * float(spread.max())).clamp_min(0.05)
    alike = network.field.linear and len(queries) == 1 and (weights is None or len(weights) == 1)
    count = 1 if alike else NUM_JACOBIANS  # equal derivatives: one, at many more points
    some = torch.linspace(0, len(latents) - 1, min(count, len(latents))).long()
    samples = network.observer.points(queries[:1, :1]).shape[2]
    affordable = MAX_PROBE_POINTS // (2 * size * samples * len(some))
    count = min(queries.shape[1], max(affordable, 4 * size))
    seen = torch.linspace(0, queries.shape[1] - 1, count).long().to(queries.device)
    total = latents.new_zeros(size, size, dtype=torch.float64)
    move = torch.diag(length)
    for row in some.tolist():
        probes = torch.cat([latents[row] + move, latents[row] - move])  # 2K K
        asked = rows_of(queries, row, 1)[:, seen]
        known = asked.new_ones(1, count) if weights is None else rows_of(weights, row, 1)[:, seen]
        share = known / known.sum().clamp_min(1e-12)
        part = max(1, CHUNK // (2 * size * samples))
        for start in range(0, count, part):
            y = network.predict(probes, asked[:, start : start + part])  # 2K m C
            slope = (y[:size] - y[size:]) / (2 * length[:, None, None])
            left = (slope * share[:, start : start + part, None]).flatten(1)
            total += (left @ slope.flatten(1).T).double() / y.shape[2]
    return (total / len(some)).to(latents)
