"""MSCN: a sparse change of a shared network."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import SparseBottleneck
from inrc.fields import SparseSiren, SparseWeightSiren
from inrc.fields.sparse import gates_and_changes
from inrc.methods.families import SirenMethod
from inrc.methods.network import Network, Observer


@dataclass
class MSCN(SirenMethod):
    """Meta-learned sparse compression networks (arXiv:2205.08957): gates select modulations.

    Initial modulations, initial log alpha of their gates, and step sizes of both are meta-learned
    (eq. 8); the price of open gates is part of the inner and the outer loss. A file holds positions
    and values of the `keep` largest modulations, one quality level for each number.

    Different from the published description: the number of open gates of a file is exact, and
    `refine` steps adapt their values to the modulations that are left out.

    Args:
        structured: modulate by one shift for every unit; False modulates every weight and bias.
        steps: gradient steps of the inner loop.
        lr: first step size of the modulations.
        gate_lr: first step size of log alpha.
        price: penalty of one open gate in mean squared error, divided by the number of gates.
        keep: for each quality level, the number of open gates.
        bits: base-2 logarithm of the levels of a value.
        refine: gradient steps that adapt the values to the modulations left out.
    """

    name = "mscn"
    structured: bool = True
    steps: int = 3
    lr: float = 0.03
    gate_lr: float = 1.0
    price: float = 1e-4
    keep: list[int] = field(default_factory=lambda: [24, 48, 96, 192])
    bits: int = 5
    refine: int = 3

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """The network of these settings."""
        kind = SparseSiren if self.structured else SparseWeightSiren
        sparse = kind(point_dim, value_dim, self.width, self.depth, self.w0, self.price)
        adapter = MetaSGD(sparse.latent_dim, self.steps, self.lr, penalty=sparse.penalty)
        adapter.lrs = gates_and_changes(sparse.changes, self.lr, self.gate_lr)
        return Network(
            sparse,
            adapter,
            [SparseBottleneck(sparse.latent_dim, k, self.bits, self.refine) for k in self.keep],
            observer,
        )
