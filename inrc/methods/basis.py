"""Basis: a linear field in closed form, with an optional residual network."""

from dataclasses import dataclass

from inrc.adapt import GaussNewton
from inrc.basis import BasisField
from inrc.methods.families import LearnedBottleneckMethod
from inrc.methods.network import Network, Observer


@dataclass
class Basis(LearnedBottleneckMethod):
    """A continuous basis: closed-form start, Gauss-Newton encoding, learned bottleneck.

    The linear part is the Karhunen-Loeve transform of the training signals as functions. A
    residual network makes it nonlinear; only that network is trained.

    Args:
        num_frequencies: sines of the trunk, one of them constant.
        basis_size: functions, combinations of these sines, that the field is linear in.
        w0: twice the highest frequency, in radians per unit of a coordinate. Training tries
            fractions of it and keeps the best.
        field_hidden: units of the network that bends the field; 0 keeps it linear in the latent.
        steps: Gauss-Newton steps of an encoding, at most.
        step_size: size of the steps after the first, relative to a full step.
        residual_table: functions that are tabulated at the points of the training signals, in
            addition to the sines; 0 for none.
    """

    name = "basis"
    num_frequencies: int = 1024
    basis_size: int = 384
    w0: float = 80.0
    field_hidden: int = 512
    steps: int = 4
    step_size: float = 0.35
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
            self.bottlenecks(),
            observer,
        )
