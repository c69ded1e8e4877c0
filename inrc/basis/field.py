"""The continuous basis: a field whose best linear part has a closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.basis.algebra import subsample
from inrc.basis.closed_form import Signals, Sines, solve
from inrc.basis.residual_table import ResidualTable
from inrc.basis.trunks import TrunkCache
from inrc.fields import Evaluator, Field, Layer, affine, sine


class BasisField(Field):
    """f(x; z) = Phi(x) (c + A z + g(z)): only the output layer depends on the latent.

    The trunk Phi is one layer of sines with random frequencies up to `w0` / 2 a unit, mixed so
    that it is orthonormal over the training points. c and A come from a principal component
    analysis of the training signals in the span of the trunk (`start`): the continuous form of the
    Karhunen-Loeve transform (EOFs), on grids, spheres and scattered points alike. g is a residual
    network that starts at zero and makes the field nonlinear in z. Only g is trained.

    The trunk is evaluated once for all signals of a batch.

    Args:
        point_dim: D.
        value_dim: F.
        latent_dim: K.
        num_frequencies: sines of the trunk, one of them constant.
        basis_size: functions of the trunk that the output layer sees.
        w0: twice the highest frequency, in radians per unit of a coordinate; `start` also tries
            fractions of it and keeps the one with the smallest error on the signals.
        field_hidden: width of g; 0 keeps the field linear in z.
        residual_table: maximum number of functions that are tabulated at the points of the training
            signals: the residuals of the centre and of the first axes, as far as they lower the
            error. There are 0 if signals have points of their own or more channels than this.
    """

    closed_form = True

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
        num_frequencies: int = 1024,
        basis_size: int = 384,
        w0: float = 80.0,
        field_hidden: int = 512,
        residual_table: int = 0,
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim)
        self.size = num_frequencies
        self.basis_size = basis_size
        self.residual_table = ResidualTable(point_dim, residual_table) if residual_table else None
        self._trunks = TrunkCache()
        outputs = (basis_size + residual_table) * value_dim
        frequencies = (torch.rand(point_dim, num_frequencies) - 0.5) * w0
        frequencies[:, 0] = 0.0  # with the phase below, the first sine is constant
        phases = (torch.rand(num_frequencies) * 2 - 1) * math.pi
        phases[0] = math.pi / 2
        self.register_buffer("frequencies", frequencies)
        self.register_buffer("phases", phases)
        self.register_buffer("mix", torch.eye(num_frequencies, basis_size))
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("axes", torch.zeros(latent_dim, outputs))
        self.register_buffer("scale", torch.ones(latent_dim))
        self.residual: nn.Module | None = None
        if field_hidden:
            self.residual = nn.Sequential(
                nn.Linear(latent_dim, field_hidden), nn.GELU(),
                nn.Linear(field_hidden, field_hidden), nn.GELU(), nn.Linear(field_hidden, outputs),
            )  # fmt: skip
            last = self.residual[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @property
    def linear(self) -> bool:
        return self.residual is None

    @property
    def width(self) -> int:
        return self.size

    @property
    def row_width(self) -> int:
        return 4 * self.value_dim

    def condition(self, latent: Float[Tensor, "B K"]) -> Evaluator:
        output = self.centre + latent @ self.axes  # B H*F
        if self.residual is not None:
            # the output is small beside the linear part, and so are useful learning rates
            output = output + self.residual(latent / self.scale) * self.scale.max() / 12.0
        weight = output.unflatten(-1, (-1, self.value_dim))
        layer = Layer(weight, weight.new_zeros(1, 1, 1))
        return lambda points: affine(self.trunk(points), layer)

    def trunk(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M H"]:
        """The functions Phi at the points, without a graph; cached, see `TrunkCache`."""
        tensors = [self.frequencies, self.phases, self.mix]
        if self.residual_table is not None:
            tensors += [self.residual_table.places, self.residual_table.values]
        return self._trunks.get(points, tensors, self._evaluate_trunk)

    def _evaluate_trunk(self, points: Tensor) -> Tensor:
        none = points.new_zeros(1, 1, 1)
        waves = sine(affine(points, Layer(self.frequencies[None], self.phases.expand(1, 1, -1))))
        trunk = affine(waves, Layer(self.mix[None], none))
        return (
            trunk
            if self.residual_table is None
            else torch.cat([trunk, self.residual_table(points)], -1)
        )

    @torch.no_grad()
    def start(
        self,
        queries: Float[Tensor, "#N M D"],
        features: Float[Tensor, "N M F"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> None:
        """Find the trunk's scale and mix, and the principal axes of the signals in its span."""
        some = subsample(queries, features, weights)
        signals = Signals(*some[:2], _normalised(some[0], some[2]))
        sines = Sines(self.frequencies, self.phases)
        fit = solve(sines, signals, self.latent_dim, self.basis_size)
        functions, axes = fit.mix.shape[1], len(fit.axes)
        self.frequencies.copy_(fit.sines.frequencies)
        self.mix.zero_()[:, :functions] = fit.mix
        self.centre.zero_().view(-1, self.value_dim)[:functions] = fit.centre
        shape = (self.latent_dim, -1, self.value_dim)
        self.axes.zero_().view(shape)[:axes, :functions] = fit.axes
        spread = fit.coordinates.square().mean(0).sqrt()
        self.scale.fill_(float(spread.max()))
        self.scale[: len(spread)] = spread.clamp_min(float(spread.max()) * 1e-2)
        if self.residual_table is not None:
            latents = nn.functional.pad(fit.coordinates, (0, self.latent_dim - axes))
            everything = Signals(queries, features, _unnormalised(queries, weights))
            self._tabulate(self.residual_table, latents, everything, signals)

    def _tabulate(
        self, residual_table: ResidualTable, latents: Tensor, everything: Signals, some: Signals
    ) -> None:
        """Tabulate the residuals of the centre, and of the axes whose residuals lower the error."""
        residual_table.clear()
        axes = min(residual_table.functions // self.value_dim - 1, self.latent_dim)
        if len(everything.queries) > 1 or axes < 0:
            return
        field = self.condition(latents)

        def residual(queries: Tensor, features: Tensor, share: Tensor) -> Tensor:
            return torch.where(share[..., None] > 0, features - field(queries), 0.0)

        one = torch.ones_like(latents[:, :1])
        design = torch.cat([one, latents[:, :axes] / self.scale[:axes]], 1)
        columns = residual_table.learn(residual, everything, some, design)
        rows = [(self.centre, 1.0), *zip(self.axes, self.scale.tolist(), strict=True)]
        for column, (row, unit) in enumerate(rows[:columns]):
            at = self.basis_size + column * self.value_dim
            block = row.view(-1, self.value_dim)[at : at + self.value_dim]
            block.copy_(torch.eye(self.value_dim) / unit)  # a function for every channel


def _unnormalised(queries: Tensor, weights: Tensor | None) -> Tensor:
    return weights if weights is not None else torch.ones_like(queries[..., 0])


def _normalised(queries: Tensor, weights: Tensor | None) -> Tensor:
    share = _unnormalised(queries, weights).double()
    return share / share.sum(1, keepdim=True)
