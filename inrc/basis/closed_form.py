"""The closed form of a basis: trunk, centre and principal axes of training signals."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.basis.algebra import energy_outside, principal, project, select

MIN_ENERGY = 1e-8
"""Energy added to every direction of the trunk, as a share of a sine's: float32 sines have errors
of 6e-8, which are then amplified to 6e-4 at most, 64 dB below a signal of unit size."""
SIGNALS_PER_LATENT = 8
"""With fewer training signals than this times the latents, half of them represent unseen ones."""
MAX_TRUNK_ROWS = 1 << 15
"""Rows times observations of a trunk that are held at once: 256 MiB at 1024 sines."""
BENDING_SHARE = 1e-4
"""Bending energy of the trunk's penalty, as a share of a sine's energy, if there are as many sines
as observations: without it such a basis fits every observation and oscillates between them. (A
photograph at twice its resolution rises from 20.9 to 28.1 dB, unseen pixels by 0.1 dB.) It falls
with the fourth power of sines per observation."""
NUM_SCALES = 3
"""Scales of the frequencies that are tried, each half the one before."""


class Sines(NamedTuple):
    """S sines of points."""

    frequencies: Float[Tensor, "D S"]
    phases: Float[Tensor, "S"]

    def at(self, points: Float[Tensor, "#N M D"]) -> Float[Tensor, "#N M S"]:
        """Their values."""
        return torch.sin(points @ self.frequencies + self.phases)

    def slower(self, octaves: int) -> "Sines":
        """The same sines with frequencies divided by 2^octaves."""
        return self._replace(frequencies=self.frequencies / 2**octaves)


class Signals(NamedTuple):
    """Training signals. The weights of each row sum to 1."""

    queries: Float[Tensor, "#N M D"]
    features: Float[Tensor, "N M F"]
    weights: Float[Tensor, "#N M"]

    @property
    def shared(self) -> bool:
        """Whether all signals have the same points and weights."""
        return len(self.queries) == len(self.weights) == 1

    def rows(self, index: Tensor) -> "Signals":
        """Some of the signals."""
        return Signals(*select(index, *self))


@dataclass(frozen=True)
class ClosedForm:
    """What the training signals determine: H functions, N coordinates along at most K axes."""

    sines: Sines
    mix: Float[Tensor, "S H"]
    centre: Float[Tensor, "H F"]
    axes: Float[Tensor, "K H F"]
    coordinates: Float[Tensor, "N K"]


def solve(sines: Sines, signals: Signals, latent_dim: int, max_functions: int) -> ClosedForm:
    """Find the scale and the mix of the sines, and the principal axes of signals in their span.

    The trunk sin(x frequencies + phases) mix is orthonormal over the training points, up to the
    penalty of `BENDING_SHARE`. Signals are linear combinations of at most `max_functions` of its
    functions.
    """
    features, share = signals.features, signals.weights
    rows = 64 if signals.shared else max(4, MAX_TRUNK_ROWS // share.shape[1])
    some = torch.linspace(0, len(features) - 1, min(64, rows, len(features))).long()
    trials = [_orthonormal(sines.slower(n), signals.rows(some)) for n in range(NUM_SCALES)]
    best = min(range(NUM_SCALES), key=lambda n: trials[n][1])
    sines = sines.slower(best)
    mix, _, energy = trials[best]
    codes = _codes(sines, mix, signals)  # N H F
    centre = codes.mean(0)
    learned = len(codes)
    if learned < SIGNALS_PER_LATENT * latent_dim:
        learned = (learned + 1) // 2  # the others show what unseen signals are like
    directions = (codes[:learned] - centre) / math.sqrt(learned)
    if learned < len(codes):
        unseen = energy_outside(codes[learned:] - centre, directions)
        prior = _smooth_codes(sines, mix.to(codes), latent_dim, centre)
        prior *= (unseen / prior.square().sum().clamp_min(1e-30)).sqrt()
        directions = torch.cat([directions, prior])
    # the functions that the output layer sees: where the signals are, all channels together
    columns = torch.cat([directions, centre[None]]).permute(1, 0, 2).flatten(1)
    turn = principal(columns, max_functions)
    bending = BENDING_SHARE * min(1.0, len(sines.phases) / features.shape[1]) ** 4
    axes = principal(torch.einsum("nhf,hg->gfn", directions, turn).flatten(0, 1), latent_dim)
    return ClosedForm(
        sines,
        _smoothed(sines, mix @ turn.to(mix), energy, bending),
        turn.T @ centre,
        axes.T.unflatten(1, (turn.shape[1], features.shape[2])),
        torch.einsum("nhf,hg->ngf", codes - centre, turn).flatten(1) @ axes,
    )


def _orthonormal(sines: Sines, signals: Signals) -> tuple[Tensor, float, Tensor]:
    """The mix of an orthonormal trunk, the error of signals in its span, and the sines' energy."""
    share = signals.weights
    raw = sines.at(signals.queries).double()  # #N M S
    rows = max(len(raw), len(share))
    if len(raw) == 1:
        energy = torch.einsum("mh,m,mg->hg", raw[0], share.mean(0), raw[0])
    else:
        energy = torch.einsum("nmh,nm,nmg->hg", raw, share.expand(rows, -1), raw) / rows
    energy.diagonal().add_(MIN_ENERGY * energy.diagonal().mean())
    lower = torch.linalg.cholesky(energy)
    mix = torch.linalg.solve_triangular(lower.mT, torch.eye(len(lower)).to(lower), upper=True)
    trunk = raw @ mix
    codes = project(trunk, signals.features.double(), share)
    error = (signals.features - torch.einsum("nmh,nhf->nmf", trunk, codes)).square().sum(-1)
    return mix, float((error * share).sum()), energy


def _codes(sines: Sines, mix: Tensor, signals: Signals) -> Float[Tensor, "N H F"]:
    """Coefficients of all signals, in portions if they do not share their points."""
    count = len(signals.features)
    size = count if signals.shared else max(1, MAX_TRUNK_ROWS // signals.weights.shape[1])
    codes = []
    for start in range(0, count, size):
        part = signals.rows(torch.arange(start, min(start + size, count)))
        trunk = sines.at(part.queries).double() @ mix
        x = part.features
        codes.append(project(trunk.to(x), x, part.weights.to(x)))
    return torch.cat(codes)


def _smooth_codes(
    sines: Sines, mix: Tensor, latent_dim: int, centre: Float[Tensor, "H F"]
) -> Float[Tensor, "N H F"]:
    """Codes of random smooth signals, a prior for signals unlike the training signals.

    The amplitude of a sine of frequency k falls like 1 / (1 + k^2): energy spectra of the
    atmosphere and of pictures fall like k^-3 to k^-2.
    """
    size, channels = centre.shape
    amplitude = 1.0 / (1.0 + sines.frequencies.square().sum(0))
    generator = torch.Generator().manual_seed(0)  # the same axes in every process
    shape = (2 * latent_dim // channels + 1, size)
    weights = torch.randn(shape, generator=generator).to(mix) * amplitude.to(mix)
    # Phi a = (Phi mix) (mix^-1 a); mix is upper triangular
    codes = torch.linalg.solve_triangular(mix.double(), weights.double().T, upper=True).T.to(mix)
    one = torch.eye(channels, device=mix.device)
    return torch.einsum("nh,fg->nfhg", codes, one).flatten(0, 1)


def _smoothed(
    sines: Sines, mix: Float[Tensor, "S H"], energy: Float[Tensor, "S S"], share: float
) -> Tensor:
    """The smoothest functions that are close to these at the training points.

    Least |Phi mix' - Phi mix|^2 + |(1 + k^2) mix'|^2, the second term scaled to a `share` of a
    sine's energy: ridge regression with the bending energy of thin plates as the penalty.
    """
    k = sines.frequencies.square().sum(0).to(mix)
    penalty = ((1.0 + k) / (1.0 + k.mean())).square()
    ridge = energy + torch.diag(share * energy.diagonal().mean() * penalty)
    return torch.linalg.solve(ridge, energy @ mix)
