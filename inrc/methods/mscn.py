"""MSCN: a sparse change of a shared network."""

from dataclasses import dataclass, field

from inrc.adapt import MetaSGD
from inrc.entropy import SparseBottleneck
from inrc.fields import SparseSiren, SparseWeightSiren
from inrc.fields.sparse import gates_and_changes
from inrc.methods.method import Method
from inrc.methods.network import Network, Observer


@dataclass
class MSCN(Method):
    """Meta-learned sparse compression networks (arXiv:2205.08957): gates choose what is sent.

    The changes, their gates' log alpha, the start of both and step sizes for each are meta-learned
    (eq. 8); the price of open gates is part of the inner and the outer loss. A file holds the
    `keep` largest changes, one quality level for each number, positions and values both counted.

    Unlike the paper as far as it is known: the number of open gates of a file is exact; values that
    are kept make up for the others in `refine` steps.

    Args:
        width: units of a layer.
        depth: sine layers.
        w0: frequency of the sines.
        structured: one shift for every unit; False changes every weight and bias.
        steps: of the inner loop.
        lr: first step size of the changes.
        gate_lr: first step size of log alpha.
        price: of one gate that is surely open, in mean squared error, shared out over all.
        keep: gates that stay open, a quality level for each.
        bits: levels of a value, as a power of two.
        refine: steps that make up for what is left out.
    """

    name = "mscn"
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    structured: bool = True
    steps: int = 3
    lr: float = 0.03
    gate_lr: float = 1.0
    price: float = 1e-4
    keep: list[int] = field(default_factory=lambda: [24, 48, 96, 192])
    bits: int = 5
    refine: int = 3

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table."""
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
