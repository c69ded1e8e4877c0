"""Functa: signals as data points."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import LearnedBottleneck
from inrc.fields import ShiftSiren
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class Functa(Method):
    """Functa (arXiv:2201.12204): shifts from a latent, a learned step size for each latent.

    Functa provides latents, not files: `inrc encode --latents`. The paper has no quantiser; the
    bottlenecks are those of VC-INR. Step sizes start at one value instead of random values. Sizes
    are those of a CPU; recipes/papers has those of the paper.

    Args:
        latent_dim: number of latents of a signal.
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines, in radians per unit of a coordinate.
        steps: gradient steps of the inner loop.
        lr: first step size of the inner loop.
        context: share of the observations that a training step of the inner loop uses: those with
            the largest errors.
        recompute: save memory in training: compute activations again instead of keeping them.
        lambdas: for each quality level, the bits per observation that one unit of mean squared
            error is worth.
        bottleneck_hidden: width of the residual networks of the bottleneck's transforms; 0 for
            linear ones.
    """

    name = "functa"
    latent_dim: int = 128
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    steps: int = 3
    lr: float = 0.1
    context: float = 1.0
    recompute: bool = False
    lambdas: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    bottleneck_hidden: int = 128

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            ShiftSiren(point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0),
            MetaSGD(
                self.latent_dim, self.steps, self.lr, True, False, self.context, self.recompute
            ),
            [LearnedBottleneck(self.latent_dim, w, self.bottleneck_hidden) for w in self.lambdas],
            observer,
        )
