"""What sines leave over of signals on shared points: functions tabulated there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

NEAREST = 4
"""Places that a point between them is answered from: the corners of a cell on a globe."""
AT = 1e-12
"""Squared distance at which a point is a place, far below that of neighbours."""
RIDGE = 1e-2
"""Of the regression, as a share of the coordinates' variance."""
HELD = 1 << 22
"""Values of all signals that are looked at at once."""

Left = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(points #N M D, values N M F, weights #N M) -> what is left of the values; 0 at weight 0."""


class ResidualTable(nn.Module):
    """R functions with values at P places; in between, those of the nearest ones.

    A coast, a mountain range or the edge of the ice is where it is in all signals of a kind, and no
    affordable number of waves draws it. Weights between places fall with the squared distance
    (Shepard 1968): grids, spheres and scattered points are alike.

    Args:
        point_dim: D.
        functions: R; those that are not learned are zero.
    """

    places: Tensor
    values: Tensor

    def __init__(self, point_dim: int, functions: int) -> None:
        super().__init__()
        self.functions = functions
        self.register_buffer("places", torch.zeros(0, point_dim))
        self.register_buffer("values", torch.zeros(0, 0, dtype=torch.float16))
        self._tree: cKDTree | None = None

    def clear(self) -> None:
        """No functions, as at first."""
        self.set(self.places[:0], self.values[:0, :0])

    def set(self, places: Float[Tensor, "P D"], values: Float[Tensor, "P R"]) -> None:
        """Functions, at most R of them. Stored in 16 bits: their error is that of a residual's."""
        self.places, self.values, self._tree = places, values.half(), None

    def learn(
        self, left: Left, whole: tuple[Tensor, Tensor, Tensor],
        some: tuple[Tensor, Tensor, Tensor], design: Float[Tensor, "N T"],
    ) -> int:  # fmt: skip
        """Tabulate what is left of signals at points that they share, as far as that helps.

        `whole` are all points, values and weights, `some` those that tell how many columns of the
        design help. Returns their number: each has a function for every channel.
        """
        self.clear()
        columns = useful(left(*some), some[2], design)
        if columns:
            queries, features, share = whole
            seen = (share > 0).any(0)
            size = max(1, HELD // features[:, 0].numel())
            tables = [
                regression(left(*part), part[2], design[:, :columns])
                for part in zip(*(each.split(size, 1) for each in whole), strict=True)
            ]
            table = torch.cat(tables, 1)[:, seen]  # T M F
            self.set(queries[0, seen], table.permute(1, 0, 2).flatten(1))
        return columns

    def forward(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M R"]:
        """Values of all functions."""
        if not len(self.places):
            return points.new_zeros(*points.shape[:2], self.functions)
        if self._tree is None:
            from scipy.spatial import cKDTree  # half a second to import, and only here

            self._tree = cKDTree(self.places.double().cpu().numpy())
        count = min(NEAREST, len(self.places))
        asked = points.detach().flatten(0, 1).double().cpu().numpy()
        distance, index = self._tree.query(asked, list(range(1, count + 1)))
        share = 1.0 / (torch.from_numpy(distance).square() + AT)
        share = (share / share.sum(1, keepdim=True)).to(points)  # B*M 4
        near = torch.from_numpy(index).to(points.device)
        found = points.new_zeros(len(asked), self.functions)
        for n in range(count):
            found[:, : self.values.shape[1]] += share[:, n, None] * self.values[near[:, n]]
        return found.unflatten(0, points.shape[:2])

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Take the sizes of what is loaded: they are those of the training signals."""
        places, values = state.get(f"{prefix}places"), state.get(f"{prefix}values")
        if places is not None and values is not None and len(places) == len(values):
            if values.dim() == 2 and values.shape[1] <= self.functions:
                self.set(places.new_zeros(places.shape), values.new_zeros(values.shape))
        super()._load_from_state_dict(state, prefix, *rest)


def useful(
    left: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"], design: Float[Tensor, "N T"]
) -> int:
    """How many columns of the design a regression should have: 0 if none helps.

    It is learned from the first half of the signals and judged by what it leaves of the second.
    """
    half = (len(left) + 1) // 2
    if half == len(left):
        return 0
    known, weight = share.expand(len(left), -1).split(half)

    def lost(columns: int) -> float:
        rest = left[half:]
        if columns:
            table = regression(left[:half], known, design[:half, :columns])
            rest = rest - torch.einsum("nt,tmf->nmf", design[half:, :columns], table)
        return float((weight[..., None] * rest.square()).double().sum())

    # the centre alone, and with twice as many axes each time
    tried = [n for n in (0, 1, *(1 + 2**n for n in range(16))) if n <= design.shape[1]]
    return min(tried, key=lost)


def regression(
    left: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"], design: Float[Tensor, "N T"]
) -> Float[Tensor, "T M F"]:
    """What is left of signals as a linear function of a design of unit variance, at every point.

    Where a signal says nothing of a point (`share` 0), the others do: least squares, as if the
    columns were related among those as they are among all.
    """
    known = (share > 0).to(left).expand(len(left), -1)
    sums = torch.einsum("nt,nm,nmf->tmf", design, known, left)
    target = sums / known.sum(0).clamp_min(1.0)[:, None]
    moment = (design.T @ design / len(design)).double()
    moment += RIDGE * torch.eye(len(moment)).to(moment)
    return torch.linalg.solve(moment, target.flatten(1).double()).to(left).view_as(target)
