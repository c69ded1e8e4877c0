"""COMBINER: a Gaussian over the weights, coded as one of 2^16 candidates per block."""

from dataclasses import dataclass, field

from inrc.adapt import Variational
from inrc.entropy import Candidates, RelativeBottleneck, Schedule
from inrc.fields import BayesianSiren
from inrc.gaussian import Prior
from inrc.methods.families import SirenMethod
from inrc.methods.network import Network, Observer


@dataclass
class COMBINER(SirenMethod):
    """COMBINER (arXiv:2305.19185), with steps towards RECOMBINER (arXiv:2309.17182).

    As in the paper: a factorised posterior over all weights of a small SIREN, a shared prior by
    coordinate descent, blocks of 16 bits, a price per block, relative entropy coding among 2^16
    candidates, refinement of the weights that are not coded yet. As in RECOMBINER: posteriors start
    at the prior's mean, a draw of the weights instead of a draw per point and unit, blocks that the
    parts of a signal share by a permutation of every weight, and with `mixed` a learned linear map
    between coded numbers and weights. Different: one model has a prior per beta; weights are in
    units of their initial size, so that one learning rate fits all layers; candidates come from a
    counter-based generator instead of a Sobol sequence; encoding takes hundreds of steps instead of
    tens of thousands.

    `betas` are ordered from the lowest rate, which has the largest beta, to the highest.

    Args:
        embedding: number of Fourier features of a coordinate.
        finest: highest frequency of the Fourier features.
        w0: frequency of the sines, in radians per unit.
        mixed: learn a linear map between coded numbers and weights, as RECOMBINER does.
        betas: for each quality level, the mean squared error that a nat is worth, from the lowest
            rate to the highest.
        sigma: standard deviation of the prior at the start.
        start: standard deviation of the posteriors at the start.
        steps: optimizer steps for a signal in a training step.
        lr: learning rate in training.
        encode_lr: first learning rate of an encoding; it falls to a tenth.
        first: optimizer steps when a training signal is seen for the first time.
        draws: weights that are drawn in a step.
        limit: weights of a block, at most.
        fit: optimizer steps of an encoding before the first block is coded.
        refine: optimizer steps between blocks, in all.
    """

    name = "combiner"
    width: int = 16
    depth: int = 3
    embedding: int = 32
    finest: float = 16.0
    mixed: bool = False
    betas: list[float] = field(default_factory=lambda: [2e-5, 5e-6, 1e-6])
    sigma: float = 0.5
    start: float = 0.1
    steps: int = 10
    lr: float = 1e-2
    encode_lr: float = 2e-2
    first: int = 100
    draws: int = 4
    limit: int = 64
    fit: int = 400
    refine: int = 800

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        siren = BayesianSiren(
            point_dim, value_dim, 2 * len(self.betas), self.width, self.depth, self.embedding,
            self.finest, self.w0, self.mixed,
        )  # fmt: skip
        first = siren.random()
        priors = [Prior(first, self.sigma, self.start) for _ in self.betas]
        adapter = Variational(
            priors, self.betas, self.steps, self.lr, self.encode_lr, self.first, self.draws
        )
        candidates = Candidates()
        bottlenecks = [
            RelativeBottleneck(
                siren.weight_count, quality, len(priors), priors[quality], beta, self.limit,
                Schedule(self.fit, self.refine, self.encode_lr), candidates=candidates,
            )
            for quality, beta in enumerate(self.betas)
        ]  # fmt: skip
        return Network(siren, adapter, list(bottlenecks), observer)
