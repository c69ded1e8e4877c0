"""COIN++: shifts, plain steps, uniform bins."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import UniformBottleneck
from inrc.fields import ShiftSiren
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class COINPP(Method):
    """COIN++ (arXiv:2201.12904): shift modulation, CAVIA steps, uniform bins with histograms.

    The defaults have the structure of the paper and train faster: Meta-SGD from 0.1 instead of a
    fixed 1e-2, and a table per latent dimension instead of one for all.

    Args:
        latent_dim: number of latents of a signal.
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines, in radians per unit of a coordinate.
        steps: gradient steps of the inner loop.
        lr: first step size of the inner loop.
        learn_lr: learn a step size for each latent.
        learn_start: learn the initial latent; otherwise it is 0.
        context: share of the observations that a training step of the inner loop uses: those with
            the largest errors.
        recompute: save memory in training: compute activations again instead of keeping them.
        bits: for each quality level, the bits of a latent before entropy coding.
        deviations: half the width of the quantiser's range, in standard deviations.
        per_dim: a range and a histogram for each latent; False uses one of each, as the paper does.
    """

    name = "coinpp"
    latent_dim: int = 64
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    steps: int = 3
    lr: float = 0.1
    learn_lr: bool = True
    learn_start: bool = False
    context: float = 1.0
    recompute: bool = False
    bits: list[int] = field(default_factory=lambda: [3, 4, 5, 6])
    deviations: float = 3.0
    per_dim: bool = True

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            ShiftSiren(point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0),
            MetaSGD(
                self.latent_dim, self.steps, self.lr, self.learn_lr, self.learn_start,
                self.context, self.recompute,
            ),
            [
                UniformBottleneck(self.latent_dim, b, self.deviations, self.per_dim)
                for b in self.bits
            ],
            observer,
        )  # fmt: skip
