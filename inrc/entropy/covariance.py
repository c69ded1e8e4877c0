"""Covariance of few training latents, with correlations shrunk towards zero."""

import torch
from jaxtyping import Float
from torch import Tensor

SIGNALS_PER_LATENT = 8
"""Signals per latent from which on the sample covariance is not shrunk."""
SHARES = (1.0, 0.98, 0.95, 0.9, 0.8, 0.65, 0.5, 0.3, 0.2, 0.1, 0.05, 0.0)
"""Candidates for the share by which correlations are shrunk. With 512 latents, the best is 1 for
156 globes of 26 planets (0.9 takes a third more bits), and for 276 months of one planet 0.2 at low
rates and 1 at the highest."""


def shrunk_covariance(rows: Float[Tensor, "N K"], level: float) -> Float[Tensor, "K K"]:
    """Covariance of rows of mean zero, with correlations shrunk by the best share.

    The last quarter of the rows decides: the bits that they take, coded as Gaussians with the
    variances of the other rows along the axes and an error of `level` in every coordinate. The
    first half of the signals may be uncorrelated because a closed form learned its axes from them;
    the second half is as unseen signals are, so that both parts have some of these.
    """
    covariance = rows.T @ rows / max(len(rows), 1)
    count, size = rows.shape
    if count >= SIGNALS_PER_LATENT * size:
        return covariance
    some, others = rows[: count - count // 4], rows[count - count // 4 :]
    known = some.T @ some / max(len(some), 1)

    def cost(share: float) -> float:
        turn = torch.linalg.eigh(_shrunk(known, share))[1]
        variance = (some @ turn).square().mean(0) + level
        energy = (others @ turn).square().mean(0) + level
        return float((variance.log() + energy / variance).sum())  # 2 ln 2 times the bits

    return _shrunk(covariance, min(SHARES, key=cost) if len(others) else 1.0)


def _shrunk(covariance: Float[Tensor, "K K"], share: float) -> Float[Tensor, "K K"]:
    return torch.lerp(covariance, torch.diag(covariance.diagonal()), share)
