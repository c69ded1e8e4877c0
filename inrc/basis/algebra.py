"""The linear algebra of the continuous basis: projections and principal directions."""

import torch
from jaxtyping import Float
from torch import Tensor

POINTS = 1 << 14
"""Observations of every signal that a closed form looks at, at most, drawn at random."""


def fewer(
    queries: Tensor, features: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same signals at no more than POINTS of their observations."""
    if features.shape[1] <= POINTS:
        return queries, features, weights
    generator = torch.Generator().manual_seed(0)  # the same on every process
    kept = torch.randperm(features.shape[1], generator=generator)[:POINTS].sort().values
    kept = kept.to(features.device)
    return queries[:, kept], features[:, kept], None if weights is None else weights[:, kept]


def left_over(codes: Tensor, rows: Tensor) -> Tensor:
    """Mean energy of signals outside the span of others."""
    basis = torch.linalg.svd(rows.flatten(1), full_matrices=False)[2]  # R H*F
    flat = codes.flatten(1)
    return (flat - flat @ basis.T @ basis).square().sum(1).mean()


def principal(columns: Float[Tensor, "H N"], count: int) -> Float[Tensor, "H R"]:
    """Directions of the largest energy, at most `count`; float64 inside, signs as they fall."""
    if columns.shape[1] < columns.shape[0]:
        turn = torch.linalg.svd(columns.double(), full_matrices=False)[0]
    else:
        moment = columns.double() @ columns.double().T
        turn = torch.linalg.eigh(moment)[1].flip(1)
    return turn[:, :count].to(columns)


def take(index: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Some rows of each; what all rows share stays."""
    return [t if len(t) == 1 else t[index.to(t.device)] for t in tensors]


def project(
    trunk: Float[Tensor, "#N M H"], features: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"]
) -> Float[Tensor, "N H F"]:
    """Least-squares coefficients of signals.

    The trunk is orthonormal on points that all share; otherwise every signal has its own Gram
    matrix, held up by a small ridge where a mask leaves a direction unseen.
    """
    if len(trunk) == 1 and len(share) == 1:
        return torch.einsum("mh,nmf->nhf", trunk[0] * share[0, :, None], features)
    weighted = trunk * share.unsqueeze(-1)
    target = torch.einsum("nmh,nmf->nhf", weighted.expand(len(features), -1, -1), features)
    gram = weighted.mT @ trunk
    ridge = 1e-4 * torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge, target)
