"""Basis: a linear field in closed form, with an optional residual network."""

from dataclasses import dataclass, field

from inrc.adapt import GaussNewton
from inrc.basis import BasisField
from inrc.entropy import LearnedBottleneck
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class Basis(Method):
    """A continuous basis: closed-form start, Gauss-Newton encoding, learned bottleneck.

    The linear part is the Karhunen-Loeve transform of the training signals as functions. A
    residual network makes it nonlinear; only that network is trained.

    Args:
        latent_dim: number of latents of a signal.
        num_frequencies: sines of the trunk, one of them constant.
        basis_size: functions, combinations of these sines, that the field is linear in.
        w0: twice the highest frequency, in radians per unit of a coordinate. Training tries
            fractions of it and keeps the best.
        field_hidden: units of the network that bends the field; 0 keeps it linear in the latent.
        steps: Gauss-Newton steps of an encoding, at most.
        step_size: size of the steps after the first, relative to a full step.
        lambdas: for each quality level, the bits per observation that one unit of mean squared
            error is worth.
        bottleneck_hidden: width of the residual networks of the bottleneck's transforms; 0 for
            linear ones.
        residual_table: functions that are tabulated at the points of the training signals, in
            addition to the sines; 0 for none.
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
        """The network of these settings."""
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
