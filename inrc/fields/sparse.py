"""Sparse modulation: every modulation has a gate that can be closed."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import Layer, SineLayers
from inrc.fields.siren import Siren

TEMPERATURE, STRETCH = 2.0 / 3.0, (-0.1, 1.1)
"""Parameters of the hard-concrete distribution: Louizos et al. (arXiv:1712.01312), sec. 4."""
MIN_LOG_ALPHA, MAX_LOG_ALPHA = math.log(1e-2), math.log(1e2)
"""Range to which log alpha is clamped, as in that paper's code."""


def hard_concrete(
    log_alpha: Float[Tensor, "..."], noise: Float[Tensor, "..."] | None = None
) -> Float[Tensor, "..."]:
    """Gates in [0, 1] (arXiv:1712.01312, eq. 10-13): sampled with noise ~ U(0, 1), or the mode.

    s = sigmoid((log u - log(1 - u) + log alpha) / temperature), stretched and clipped.
    """
    logit = log_alpha.clamp(MIN_LOG_ALPHA, MAX_LOG_ALPHA)
    if noise is not None:
        u = noise.clamp(1e-6, 1 - 1e-6)
        logit = (torch.log(u) - torch.log1p(-u) + logit) / TEMPERATURE
    low, high = STRETCH
    return (torch.sigmoid(logit) * (high - low) + low).clamp(0.0, 1.0)


def open_share(log_alpha: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Probability that a gate is open (arXiv:1712.01312, eq. 12): the expected L0 norm."""
    low, high = STRETCH
    logit = log_alpha.clamp(MIN_LOG_ALPHA, MAX_LOG_ALPHA)
    return torch.sigmoid(logit - TEMPERATURE * math.log(-low / high))


class SparseSiren(Siren):
    """A SIREN with modulations behind hard-concrete gates: MSCN (arXiv:2205.08957).

    The latent holds U modulations and then U values of log alpha. Gates are sampled in training
    mode if gradients are enabled; otherwise each takes its mode.

    Args:
        point_dim: D.
        value_dim: F.
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines.
        price: penalty of one open gate in mean squared error, divided by U.
    """

    def __init__(
        self, point_dim: int, value_dim: int, width: int, depth: int, w0: float, price: float
    ) -> None:
        super().__init__(point_dim, value_dim, 0, width, depth, w0)
        self.price = price
        self.changes = self.count()
        self.latent_dim = 2 * self.changes

    def count(self) -> int:
        """U, the number of modulations: one shift for every unit (the structured form)."""
        return self.depth * self.hidden

    def gated(self, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B U"]:
        """The modulations, each multiplied by its gate."""
        change, log_alpha = latent.split(self.changes, dim=1)
        noisy = self.training and torch.is_grad_enabled()
        noise = torch.rand_like(log_alpha) if noisy else None
        return change * hard_concrete(log_alpha, noise)

    def penalty(self, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B"]:
        """The expected number of open gates, times its price (MSCN, eq. 8)."""
        return self.price * open_share(latent[:, self.changes :]).mean(1)

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        return self.shifted(self.w0 * self.gated(latent))


class SparseWeightSiren(SparseSiren):
    """The unstructured form: every weight and bias is modulated, theta = theta_0 + z o delta."""

    def count(self) -> int:
        """U, the number of weights and biases."""
        return sum(p.numel() for p in (*self.weights, *self.biases))

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        changes = self.gated(latent)
        scale = [self.w0] * self.depth + [1.0]
        layers, at = [], 0
        for s, weight, bias in zip(scale, self.weights, self.biases, strict=True):
            more = changes[:, at : at + weight.numel()].unflatten(1, weight.shape)  # B I O
            at += weight.numel()
            shift = changes[:, at : at + bias.numel()].unsqueeze(1)
            at += bias.numel()
            layers.append(Layer(s * (weight + more), s * (bias + shift)))
        return SineLayers(tuple(layers))


def gates_and_changes(changes: int, lr: float, gate_lr: float) -> nn.Parameter:
    """Initial step sizes of a latent of `changes` modulations and as many gates."""
    lrs = torch.cat([torch.full((changes,), lr), torch.full((changes,), gate_lr)])
    return nn.Parameter(lrs)
