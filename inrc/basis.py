"""The continuous basis: a field whose best linear part is found in closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields import Field, Layer, affine, sine

KEEP = 1e-9
"""Directions of the trunk's span with less than this share of the largest energy are dropped; they
are rounding noise of the float64 eigenvalue problem times a safety factor."""


class BasisField(Field):
    """f(x; z) = Phi(x) (c + A z + g(z)): a latent bends only the output of a shared trunk.

    The trunk Phi is one layer of sines with random frequencies up to `w0` / 2 a unit, mixed so
    that it is orthonormal over the training points. c and A come from a principal component
    analysis of the training signals in the span of the trunk (`start`): the continuous form of the
    Karhunen-Loeve transform (EOFs), on grids, spheres and scattered points alike. g, a residual
    network that starts at zero, bends the linear code into a manifold; it is all that is trained.

    Because only the output is bent, the trunk is evaluated once for all signals of a batch.

    Args:
        point_dim: D.
        value_dim: F.
        latent_dim: K.
        features: sines of the trunk.
        w0: twice the highest frequency, in radians per unit of a coordinate.
        hidden: width of g; 0 keeps the code linear.
    """

    frequencies: Tensor
    phases: Tensor
    mix: Tensor
    centre: Tensor
    axes: Tensor
    scale: Tensor

    def __init__(
        self,
        point_dim: int,
        value_dim: int,
        latent_dim: int,
        features: int = 512,
        w0: float = 60.0,
        hidden: int = 512,
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim)
        self.size = features
        span = features * value_dim
        self.register_buffer("frequencies", (torch.rand(point_dim, features) - 0.5) * w0)
        self.register_buffer("phases", (torch.rand(features) * 2 - 1) * math.pi)
        self.register_buffer("mix", torch.eye(features))
        self.register_buffer("centre", torch.zeros(span))
        self.register_buffer("axes", torch.zeros(latent_dim, span))
        self.register_buffer("scale", torch.ones(latent_dim))
        self.curve: nn.Module | None = None
        if hidden:
            self.curve = nn.Sequential(
                nn.Linear(latent_dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
                nn.Linear(hidden, span),
            )  # fmt: skip
            last = self.curve[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @property
    def width(self) -> int:
        return self.size

    def features(
        self, points: Float[Tensor, "#B M D"], layers: list[Layer]
    ) -> Float[Tensor, "#B M H"]:
        """The trunk, orthonormal over the training points."""
        return affine(sine(affine(points, layers[0])), layers[1])

    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
        output = self.centre + latent @ self.axes  # B H*F
        if self.curve is not None:
            # the output is small beside the linear part, and so are useful learning rates
            output = output + self.curve(latent / self.scale) * self.scale.max() / 12.0
        weight = output.unflatten(-1, (self.size, self.value_dim))
        none = weight.new_zeros(1, 1, 1)
        return [
            Layer(self.frequencies.unsqueeze(0), self.phases.expand(1, 1, -1)),
            Layer(self.mix.unsqueeze(0), none),
            Layer(weight, none),
        ]

    @torch.no_grad()
    def start(
        self,
        queries: Float[Tensor, "#N M D"],
        features: Float[Tensor, "N M F"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> None:
        """Orthonormalise the trunk and find the principal axes of the signals in its span."""
        raw = torch.sin(queries @ self.frequencies + self.phases).double()  # #N M H
        share = torch.ones_like(raw[..., 0]) if weights is None else weights.double()
        share = share / share.sum(1, keepdim=True)  # #N M
        energy = torch.einsum("nmh,nm,nmg->hg", raw, share, raw) / max(len(raw), len(share))
        value, vector = torch.linalg.eigh(energy)
        kept = value > value[-1] * KEEP
        mix = torch.where(kept, vector / value.clamp_min(1e-30).sqrt(), 0.0)
        self.mix.copy_(mix)
        trunk = (raw @ mix).to(features)  # #N M H
        codes = self._project(trunk, features, share.to(features)).flatten(1)  # N H*F
        centre = codes.mean(0)
        rank = min(self.latent_dim, len(codes) - 1, codes.shape[1])
        generator_state = torch.get_rng_state()
        torch.manual_seed(0)  # the same axes on every process
        _, deviation, axes = torch.pca_lowrank(
            codes - centre, min(rank + 32, *codes.shape), center=False, niter=4
        )
        torch.set_rng_state(generator_state)
        self.centre.copy_(centre)
        self.axes.zero_()[:rank] = axes.T[:rank]
        spread = deviation[:rank] / math.sqrt(len(codes))
        self.scale.fill_(float(spread[0]) if rank else 1.0)
        self.scale[:rank] = spread.clamp_min(float(spread[0]) * 1e-4)

    @staticmethod
    def _project(
        trunk: Float[Tensor, "#N M H"], features: Float[Tensor, "N M F"], share: Tensor
    ) -> Float[Tensor, "N H F"]:
        """Least-squares coefficients of the signals.

        The trunk is orthonormal on shared points; otherwise every signal has its own Gram matrix,
        held up by a small ridge where a mask leaves a direction unseen.
        """
        target = torch.einsum("nmh,nmf->nhf", trunk * share.unsqueeze(-1), features)
        if len(trunk) == 1 and len(share) == 1:
            return target
        gram = torch.einsum("nmh,nm,nmg->nhg", trunk, share, trunk)
        ridge = 1e-4 * torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
        return torch.linalg.solve(gram + ridge, target)
