"""Basis: a linear field in closed form, which a network may bend."""

from dataclasses import dataclass, field

from inrc.adapt import GaussNewton
from inrc.basis import BasisField
from inrc.entropy import LearnedBottleneck
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class Basis(Method):
    """A continuous basis: closed-form start, Gauss-Newton encoding, learned bottleneck. Ours.

    The linear part is the Karhunen-Loeve transform of the training signals as functions; a
    network bends it. Only that network is trained.
    """

    name = "basis"
    latent_dim: int = 128
    num_frequencies: int = 1024
    basis_size: int = 384
    w0: float = 80.0
    field_hidden: int = 512
    steps: int = 4
    step_size: float = 0.35
    lambdas: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    bottleneck_hidden: int = 128
    residual_table: int = 0

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table."""
        return Network(
            BasisField(
                point_dim,
                value_dim,
                self.latent_dim,
                self.num_frequencies,
                self.basis_size,
                self.w0,
                self.field_hidden,
                self.residual_table,
            ),
            GaussNewton(self.latent_dim, self.steps, self.step_size),
            [LearnedBottleneck(self.latent_dim, w, self.bottleneck_hidden) for w in self.lambdas],
            observer,
        )
