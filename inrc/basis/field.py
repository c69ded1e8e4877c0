"""The continuous basis: a field whose best linear part is found in closed form."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.basis.algebra import fewer, left_over, principal, project, take
from inrc.basis.residual_table import ResidualTable
from inrc.fields import Field, Layer, affine, sine

KEEP = 1e-8
"""Energy that every direction of the trunk is credited with, as a share of a sine's: float32 sines,
6e-8 off, are then amplified to 6e-4 at most, 64 dB below a signal of unit size."""
FEW = 8
"""With fewer training signals than this times the latents, half of them stand for the unseen."""
SAMPLES = 1 << 15
"""Rows times observations of which it holds the trunk at once: 256 MiB at 1024 sines."""
SMOOTH = 1e-4
"""Bending energy that the trunk pays for, as a share of a sine's energy, where there are as many
sines as observations: there a basis fits every observation and runs wild between them. (A
photograph at twice its resolution went from 20.9 to 28.1 dB; unseen pixels gained 0.1 dB.) It falls
with the fourth power of sines per observation: with few, nothing is wild and details matter."""
HELD = 1 << 25
"""Numbers of trunks that are kept, 128 MiB: all chunks of a globe with 60,000 points."""
SCALES = 3
"""Scales of the frequencies that are tried, each half the one before."""


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
        num_frequencies: sines of the trunk, one of them constant.
        basis_size: functions of the trunk that the output layer sees.
        w0: twice the highest frequency, in radians per unit of a coordinate, at most; `start` tries
            fractions of it and keeps the one whose span is nearest to the signals.
        field_hidden: width of g; 0 keeps the code linear.
        residual_table: most functions beside the sines, tabulated at the points of the training signals:
            what sines leave over of the centre, and of as many of the first axes as it helps. None
            are where signals have points of their own, or more channels than this.
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
        self._kept: list[tuple[Any, Tensor, Tensor]] = []
        outputs = (basis_size + residual_table) * value_dim
        frequencies = (torch.rand(point_dim, num_frequencies) - 0.5) * w0
        frequencies[:, 0] = 0.0  # and a phase that makes the first one constant
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
                nn.Linear(latent_dim, field_hidden), nn.GELU(), nn.Linear(field_hidden, field_hidden), nn.GELU(),
                nn.Linear(field_hidden, outputs),
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

    def features(
        self, points: Float[Tensor, "#B M D"], layers: list[Layer]
    ) -> Float[Tensor, "#B M H"]:
        """The trunk, orthonormal over the training points; those of the last points are kept.

        Every step of an encoder, and every chunk of rows, asks at the same points.
        """
        asked = points.data_ptr(), points.shape, points.stride(), points._version
        key = (*asked, self.mix._version)  # a start or a load changes the trunk
        for known, _, trunk in self._kept:
            if known == key:
                return trunk
        with torch.no_grad():
            trunk = affine(sine(affine(points, layers[0])), layers[1])
            if self.residual_table is not None:
                trunk = torch.cat([trunk, self.residual_table(points)], -1)
        # the points are kept too, so that no other tensor can take their place in memory
        self._kept.append((key, points, trunk))
        while len(self._kept) > 1 and sum(each.numel() for _, _, each in self._kept) > HELD:
            del self._kept[0]
        return trunk

    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
        output = self.centre + latent @ self.axes  # B H*F
        if self.residual is not None:
            # the output is small beside the linear part, and so are useful learning rates
            output = output + self.residual(latent / self.scale) * self.scale.max() / 12.0
        weight = output.unflatten(-1, (-1, self.value_dim))
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
        """Find the trunk's scale and mix, and the principal axes of the signals in its span."""
        whole = queries, features, weights
        queries, features, weights = fewer(queries, features, weights)
        share = weights if weights is not None else torch.ones_like(queries[..., 0])
        share = share.double() / share.double().sum(1, keepdim=True)  # #N M
        own = max(len(queries), len(share)) > 1
        most = max(4, SAMPLES // share.shape[1]) if own else 64
        few = torch.linspace(0, len(features) - 1, min(64, most, len(features))).long()
        tried = [
            self._spanned(self.frequencies / 2**half, *take(few, queries, features, share))
            for half in range(SCALES)
        ]
        best = min(range(SCALES), key=lambda half: tried[half][1])
        self.frequencies /= 2**best
        mix, _, energy = tried[best]
        codes = self._codes(mix, queries, features, share)  # N H F
        centre = codes.mean(0)
        learned = len(codes)
        if learned < FEW * self.latent_dim:
            learned = (learned + 1) // 2  # the others show what unseen signals are like
        rows = (codes[:learned] - centre) / math.sqrt(learned)
        generator = torch.Generator().manual_seed(0)  # the same axes on every process
        if learned < len(codes):
            unseen = left_over(codes[learned:] - centre, rows)
            guess = self._smooth(mix.to(codes), len(centre), generator)
            guess *= (unseen / guess.square().sum().clamp_min(1e-30)).sqrt()
            rows = torch.cat([rows, guess])
        # what the output layer sees: where the signals are, all channels together
        turn = principal(
            torch.cat([rows, centre[None]]).permute(1, 0, 2).flatten(1), self.basis_size
        )
        self.mix.zero_()[:, : turn.shape[1]] = self._smoothed(
            mix @ turn.to(mix), energy, SMOOTH * min(1.0, self.size / features.shape[1]) ** 4
        )
        axes = principal(torch.einsum("nhf,hg->gfn", rows, turn).flatten(0, 1), self.latent_dim)
        self.centre.zero_().view(-1, self.value_dim)[: turn.shape[1]] = turn.T @ centre
        shape = (self.latent_dim, -1, self.value_dim)
        kept = self.axes.zero_().view(shape)[: axes.shape[1], : turn.shape[1]]
        kept.copy_(axes.T.unflatten(1, (turn.shape[1], self.value_dim)))
        found = torch.einsum("nhf,hg->ngf", codes - centre, turn).flatten(1) @ axes
        spread = found.square().mean(0).sqrt()
        self.scale.fill_(float(spread.max()))
        self.scale[: len(spread)] = spread.clamp_min(float(spread.max()) * 1e-2)
        if self.residual_table is not None:
            latents = torch.zeros(len(found), self.latent_dim).to(found)
            latents[:, : found.shape[1]] = found
            self._tabulate(self.residual_table, latents, whole, (queries, features, share))

    def _tabulate(
        self, residual_table: ResidualTable, latents: Tensor, whole: tuple[Tensor, Tensor, Tensor | None],
        some: tuple[Tensor, Tensor, Tensor],
    ) -> None:  # fmt: skip
        """Give the relief what the sines leave over: of the centre, and of axes that it helps."""
        queries, features, weights = whole
        residual_table.clear()
        axes = min(residual_table.functions // self.value_dim - 1, self.latent_dim)
        if len(queries) > 1 or axes < 0:
            return
        share = weights if weights is not None else torch.ones_like(queries[..., 0])
        bent = self.bend(latents)

        def left(queries: Tensor, features: Tensor, share: Tensor) -> Tensor:
            return torch.where(share[..., None] > 0, features - self(queries, bent), 0.0)

        one = torch.ones_like(latents[:, :1])
        design = torch.cat([one, latents[:, :axes] / self.scale[:axes]], 1)
        columns = residual_table.learn(left, (queries, features, share), some, design)
        self._kept.clear()  # trunks without them
        rows = [(self.centre, 1.0), *zip(self.axes, self.scale.tolist(), strict=True)]
        for column, (row, unit) in enumerate(rows[:columns]):
            at = self.basis_size + column * self.value_dim
            block = row.view(-1, self.value_dim)[at : at + self.value_dim]
            block.copy_(torch.eye(self.value_dim) / unit)  # of every channel its own function

    def _smoothed(
        self, mix: Float[Tensor, "H S"], energy: Float[Tensor, "H H"], share: float
    ) -> Tensor:
        """The smoothest functions that are nearly these at the training points.

        Least |Phi mix' - Phi mix|^2 + |(1 + k^2) mix'|^2, the second term scaled to a `share` of a
        sine's energy: ridge regression with the bending energy of thin plates as its price.
        """
        k = self.frequencies.square().sum(0).to(mix)
        price = ((1.0 + k) / (1.0 + k.mean())).square()
        held = energy + torch.diag(share * energy.diagonal().mean() * price)
        return torch.linalg.solve(held, energy @ mix).to(self.mix)

    def _smooth(self, mix: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """Signals that nothing is known of but that they are smooth, as codes: N H F.

        The amplitude of a sine of frequency k falls like 1 / (1 + k^2): energy spectra of the
        atmosphere and of pictures fall like k^-3 to k^-2.
        """
        k = self.frequencies.square().sum(0)
        amplitude = 1.0 / (1.0 + k)
        shape = (2 * self.latent_dim // self.value_dim + 1, size)
        sines = torch.randn(shape, generator=generator).to(mix) * amplitude.to(mix)
        # Phi a = (Phi mix) (mix^-1 a): upper triangular, as `_spanned` made it
        codes = torch.linalg.solve_triangular(mix.double(), sines.double().T, upper=True).T.to(mix)
        one = torch.eye(self.value_dim, device=mix.device)
        return torch.einsum("nh,fg->nfhg", codes, one).flatten(0, 1)

    def _spanned(
        self, frequencies: Tensor, queries: Tensor, features: Tensor, share: Tensor
    ) -> tuple[Tensor, float, Tensor]:
        """The mix that makes a trunk orthonormal, what signals lose, and the sines' energy."""
        raw = torch.sin(queries @ frequencies + self.phases).double()  # #N M H
        many = max(len(raw), len(share))
        if len(raw) == 1:
            energy = torch.einsum("mh,m,mg->hg", raw[0], share.mean(0), raw[0])
        else:
            energy = torch.einsum("nmh,nm,nmg->hg", raw, share.expand(many, -1), raw) / many
        energy.diagonal().add_(KEEP * energy.diagonal().mean())
        lower = torch.linalg.cholesky(energy)
        mix = torch.linalg.solve_triangular(lower.mT, torch.eye(len(lower)).to(lower), upper=True)
        trunk = raw @ mix
        codes = project(trunk, features.double(), share)
        error = (features - torch.einsum("nmh,nhf->nmf", trunk, codes)).square().sum(-1)
        return mix, float((error * share).sum()), energy

    def _codes(
        self, mix: Tensor, queries: Tensor, features: Tensor, share: Tensor
    ) -> Float[Tensor, "N H F"]:
        """Coefficients of all signals, in portions where they do not share their points."""
        shared = len(queries) == len(share) == 1
        size = len(features) if shared else max(1, SAMPLES // share.shape[1])
        found = []
        for start in range(0, len(features), size):
            index = torch.arange(start, min(start + size, len(features)))
            q, x, w = take(index, queries, features, share)
            trunk = torch.sin(q @ self.frequencies + self.phases).double() @ mix
            found.append(project(trunk.to(x), x, w.to(x)))
        return torch.cat(found)
