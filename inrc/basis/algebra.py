"""Linear algebra of the continuous basis: projections and principal directions."""

import torch
from jaxtyping import Float
from torch import Tensor

MAX_POINTS = 1 << 14
"""Observations of every signal that a closed form uses; of more, a random subset."""


def subsample(
    queries: Tensor, features: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The same signals at no more than MAX_POINTS of their observations."""
    if features.shape[1] <= MAX_POINTS:
        return queries, features, weights
    generator = torch.Generator().manual_seed(0)  # the same in every process
    kept = torch.randperm(features.shape[1], generator=generator)[:MAX_POINTS].sort().values
    kept = kept.to(features.device)
    return queries[:, kept], features[:, kept], None if weights is None else weights[:, kept]


def energy_outside(codes: Tensor, rows: Tensor) -> Tensor:
    """Mean energy of signals outside the span of others."""
    basis = torch.linalg.svd(rows.flatten(1), full_matrices=False)[2]  # R H*F
    flat = codes.flatten(1)
    return (flat - flat @ basis.T @ basis).square().sum(1).mean()


def principal(columns: Float[Tensor, "H N"], count: int) -> Float[Tensor, "H R"]:
    """The `count` directions of the largest energy at most, by float64; signs are arbitrary."""
    if columns.shape[1] < columns.shape[0]:
        turn = torch.linalg.svd(columns.double(), full_matrices=False)[0]
    else:
        moment = columns.double() @ columns.double().T
        turn = torch.linalg.eigh(moment)[1].flip(1)
    return turn[:, :count].to(columns)


def select(index: Tensor, *tensors: Tensor) -> list[Tensor]:
    """Rows of each tensor; a tensor with one row, which all rows share, stays as it is."""
    return [t if len(t) == 1 else t[index.to(t.device)] for t in tensors]


def project(
    trunk: Float[Tensor, "#N M H"], features: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"]
) -> Float[Tensor, "N H F"]:
    """Least-squares coefficients of signals.

    The trunk must be orthonormal on points that all signals share; otherwise every signal has its
    own Gram matrix, with a small ridge for directions that a mask hides.
    """
    if len(trunk) == 1 and len(share) == 1:
        return torch.einsum("mh,nmf->nhf", trunk[0] * share[0, :, None], features)
    weighted = trunk * share.unsqueeze(-1)
    target = torch.einsum("nmh,nmf->nhf", weighted.expand(len(features), -1, -1), features)
    gram = weighted.mT @ trunk
    ridge = 1e-4 * torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge, target)
