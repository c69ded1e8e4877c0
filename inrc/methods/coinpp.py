"""COIN++: shifts, plain steps, uniform bins."""

from dataclasses import dataclass, field

from inrc.entropy import UniformBottleneck
from inrc.fields import ShiftSiren
from inrc.methods.families import MetaSGDMethod
from inrc.methods.network import Network, Observer


@dataclass
class COINPP(MetaSGDMethod):
    """COIN++ (arXiv:2201.12904): shift modulation, CAVIA steps, uniform bins with histograms.

    The defaults have the structure of the paper and train faster: Meta-SGD from 0.1 instead of a
    fixed 1e-2, and a table per latent dimension instead of one for all.

    Args:
        learn_lr: learn a step size for each latent.
        learn_start: learn the initial latent; otherwise it is 0.
        bits: for each quality level, the bits of a latent before entropy coding.
        deviations: half the width of the quantiser's range, in standard deviations.
        per_dim: a range and a histogram for each latent; False uses one of each, as the paper does.
    """

    name = "coinpp"
    latent_dim: int = 64
    learn_lr: bool = True
    learn_start: bool = False
    bits: list[int] = field(default_factory=lambda: [3, 4, 5, 6])
    deviations: float = 3.0
    per_dim: bool = True

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            ShiftSiren(point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0),
            self.adapter(self.learn_lr, self.learn_start),
            [
                UniformBottleneck(self.latent_dim, b, self.deviations, self.per_dim)
                for b in self.bits
            ],
            observer,
        )  # fmt: skip
