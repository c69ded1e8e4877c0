"""Functa: signals as data points."""

from dataclasses import dataclass

from inrc.fields import ShiftSiren
from inrc.methods.families import LearnedBottleneckMethod, MetaSGDMethod
from inrc.methods.network import Network, Observer


@dataclass
class Functa(LearnedBottleneckMethod, MetaSGDMethod):
    """Functa (arXiv:2201.12204): shifts from a latent, a learned step size for each latent.

    Functa provides latents, not files: `inrc encode --latents`. The paper has no quantiser; the
    bottlenecks are those of VC-INR. Step sizes start at one value instead of random values. Sizes
    are those of a CPU; recipes/papers has those of the paper.
    """

    name = "functa"

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            ShiftSiren(point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0),
            self.adapter(),
            self.bottlenecks(),
            observer,
        )
