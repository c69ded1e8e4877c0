"""Whether networks that were fitted to single signals have learned anything."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.model import Model
from inrc.signal import Signal

MAX_OBSERVATIONS = 4096
"""Observations of a part that are compared; a quadratic has a few dozen coefficients."""


def failed_fits(
    files: Sequence[tuple[Path, Signal]], symbols: Int[Tensor, "P L"], model: Model, quality: int
) -> list[str]:
    """A line for each file whose decoded error is above that of a quadratic polynomial.

    A fit that diverged, or that ended long before it converged, is worse than the least-squares
    polynomial of degree two in the coordinates of the queries; a network that fits noise is not.
    """
    bottleneck = model.network.bottleneck(quality)
    parts = [signal.parts for _, signal in files]
    latents = bottleneck.permutation(parts).invert(bottleneck.dequantize(symbols))
    lines = []
    for (path, signal), rows in zip(files, latents.split(parts), strict=True):
        picked = torch.linspace(0, signal.features.shape[1] - 1, MAX_OBSERVATIONS).long().unique()
        queries, features = signal.queries[:, picked], signal.features[:, picked]
        weights = None if signal.weights is None else signal.weights[:, picked]
        error = _mean_square(features - model.network.decode(rows, queries), weights)
        reference = _mean_square(features - _quadratic(queries, features, weights), weights)
        if not error <= reference:  # NaN counts as failed
            decibels = [-10 * torch.log10(each.clamp_min(1e-12)) for each in (error, reference)]
            lines.append(
                f"{path}: the fit did not converge: {decibels[0]:.1f} dB, where a quadratic "
                f"polynomial reaches {decibels[1]:.1f} dB; try more --steps or a smaller --size"
            )
    return lines


def _quadratic(
    queries: Float[Tensor, "#P M Q"], features: Float[Tensor, "P M C"], weights: Tensor | None
) -> Float[Tensor, "P M C"]:
    """The least-squares polynomial of degree two at its own queries, part by part."""
    q = queries.double()
    centre, spread = q.mean(1, keepdim=True), q.std(1, keepdim=True).clamp_min(1e-12)
    q = (q - centre) / spread
    rows, columns = torch.triu_indices(q.shape[2], q.shape[2])
    design = torch.cat([torch.ones_like(q[..., :1]), q, q[..., rows] * q[..., columns]], 2)
    known = torch.ones_like(design[..., 0]) if weights is None else weights.double()
    gram = design.mT @ (known[..., None] * design)  # #P N N
    gram = gram + 1e-9 * torch.eye(gram.shape[-1]) * gram.diagonal(dim1=1, dim2=2).mean()
    right = design.mT @ (known[..., None] * features.double())  # P N C
    return (design @ torch.linalg.solve(gram, right)).to(features)


def _mean_square(error: Float[Tensor, "P M C"], weights: Tensor | None) -> Tensor:
    known = torch.ones_like(error[..., 0]) if weights is None else weights.expand(error.shape[:2])
    return (error.square().mean(2) * known).sum() / known.sum().clamp_min(1e-12)
