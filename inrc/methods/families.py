"""Settings that several methods share, each declared and explained once."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import Bottleneck, LearnedBottleneck
from inrc.methods.method import Method


@dataclass
class SirenMethod(Method):
    """A method whose field is a SIREN.

    Args:
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines, in radians per unit of a coordinate.
    """

    width: int = 64
    depth: int = 5
    w0: float = 30.0


@dataclass
class LatentMethod(Method):
    """A method that describes a signal by a latent of its own.

    Args:
        latent_dim: number of latents of a signal.
    """

    latent_dim: int = 128


@dataclass
class MetaSGDMethod(SirenMethod, LatentMethod):
    """A method whose latents are found by gradient steps of learned sizes.

    Args:
        steps: gradient steps of the inner loop.
        lr: first step size of the inner loop.
        context: share of the observations that a training step of the inner loop uses: those with
            the largest errors.
        recompute: save memory in training: compute activations again instead of keeping them.
    """

    steps: int = 3
    lr: float = 0.1
    context: float = 1.0
    recompute: bool = False

    def adapter(self, learn_lr: bool = True, learn_start: bool = False) -> MetaSGD:
        """The adapter of these settings, with learned or fixed step sizes and start."""
        return MetaSGD(
            self.latent_dim, self.steps, self.lr, learn_lr, learn_start, self.context,
            self.recompute,
        )  # fmt: skip


@dataclass
class LearnedBottleneckMethod(LatentMethod):
    """A method whose bottlenecks learn a transform and a density.

    Args:
        lambdas: for each quality level, the bits per observation that one unit of mean squared
            error is worth.
        bottleneck_hidden: width of the residual networks of the bottleneck's transforms; 0 for
            linear ones.
    """

    lambdas: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    bottleneck_hidden: int = 128

    def bottlenecks(self) -> list[Bottleneck]:
        """A bottleneck for each quality level."""
        return [LearnedBottleneck(self.latent_dim, w, self.bottleneck_hidden) for w in self.lambdas]
