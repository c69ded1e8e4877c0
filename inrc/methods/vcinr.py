"""VC-INR: soft gates, Meta-SGD, a learned bottleneck."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import LearnedBottleneck
from inrc.fields import GatedSiren
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class VCINR(Method):
    """VC-INR (arXiv:2301.09479): low-rank soft gates, Meta-SGD, learned transform and density.

    Different from the paper: the rows of the hypernetwork for U start 16 times larger, and step
    sizes at 30, without which gates do not open for thousands of steps; g_a and g_s start at the
    Karhunen-Loeve transform in the metric of the signal, with steps in closed form; symbols are
    rounded by their cost; one model has a lambda for every quality level; sizes are those of a CPU.

    Args:
        latent_dim: number of latents of a signal.
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines, in radians per unit of a coordinate.
        rank: rank of the gates of a layer.
        hyper_width: units of the network that makes gates from a latent.
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

    name = "vcinr"
    latent_dim: int = 128
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    rank: int = 4
    hyper_width: int = 128
    steps: int = 3
    lr: float = 30.0
    context: float = 1.0
    recompute: bool = False
    lambdas: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    bottleneck_hidden: int = 128

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            GatedSiren(
                point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0, self.rank,
                self.hyper_width,
            ),
            MetaSGD(
                self.latent_dim, self.steps, self.lr, True, True, self.context, self.recompute
            ),
            [LearnedBottleneck(self.latent_dim, w, self.bottleneck_hidden) for w in self.lambdas],
            observer,
        )  # fmt: skip
