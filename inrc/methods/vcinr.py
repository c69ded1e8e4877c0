"""VC-INR: soft gates, Meta-SGD, a learned bottleneck."""

from dataclasses import dataclass

from inrc.fields import GatedSiren
from inrc.methods.families import LearnedBottleneckMethod, MetaSGDMethod
from inrc.methods.network import Network, Observer


@dataclass
class VCINR(LearnedBottleneckMethod, MetaSGDMethod):
    """VC-INR (arXiv:2301.09479): low-rank soft gates, Meta-SGD, learned transform and density.

    Different from the paper: the rows of the hypernetwork for U start 16 times larger, and step
    sizes at 30, without which gates do not open for thousands of steps; g_a and g_s start at the
    Karhunen-Loeve transform in the metric of the signal, with steps in closed form; symbols are
    rounded by their cost; one model has a lambda for every quality level; sizes are those of a CPU.

    Args:
        rank: rank of the gates of a layer.
        hyper_width: units of the network that makes gates from a latent.
    """

    name = "vcinr"
    lr: float = 30.0
    rank: int = 4
    hyper_width: int = 128

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        return Network(
            GatedSiren(
                point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0, self.rank,
                self.hyper_width,
            ),
            self.adapter(learn_start=True),
            self.bottlenecks(),
            observer,
        )  # fmt: skip
