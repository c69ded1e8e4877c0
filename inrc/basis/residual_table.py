"""Residuals of a basis on shared points: functions that are tabulated there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.basis.closed_form import Signals

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

NEIGHBOURS = 4
"""Places that a point is interpolated from: the corners of a cell of a grid."""
SAME_PLACE = 1e-12
"""Added to squared distances: at a place itself, only its own value counts."""
RIDGE = 1e-2
"""Ridge of the regression, as a share of the coordinates' variance."""
MAX_VALUES = 1 << 22
"""Values of all signals that are held at once."""

Residual = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(points #N M D, values N M F, weights #N M) -> residuals of the values, 0 at weight 0."""


class ResidualTable(nn.Module):
    """R functions with values at P places, interpolated in between.

    Coasts, mountain ranges and the edge of the ice are at the same places in all signals of a kind,
    and too sharp for an affordable number of waves. Weights of the places fall with the squared
    distance (Shepard 1968), so that grids, spheres and scattered points are treated alike.

    Args:
        point_dim: D.
        functions: R; functions that are not learned are zero.
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
        """Remove all functions."""
        self.set(self.places[:0], self.values[:0, :0])

    def set(self, places: Float[Tensor, "P D"], values: Float[Tensor, "P R"]) -> None:
        """Set at most R functions. Values are stored in 16 bits: they are small residuals."""
        self.places, self.values, self._tree = places, values.half(), None

    def learn(
        self, residual: Residual, signals: Signals, some: Signals, design: Float[Tensor, "N T"]
    ) -> int:
        """Tabulate residuals at the points that signals share, as far as that lowers the error.

        `some` is the part of the observations that decides how many columns of the design are used.
        Returns that number: each column has a function for every channel.
        """
        self.clear()
        columns = best_columns(residual(*some), some.weights, design)
        if columns:
            seen = (signals.weights > 0).any(0)
            size = max(1, MAX_VALUES // signals.features[:, 0].numel())
            tables = [
                regression(residual(*part), part[2], design[:, :columns])
                for part in zip(*(each.split(size, 1) for each in signals), strict=True)
            ]
            table = torch.cat(tables, 1)[:, seen]  # T M F
            self.set(signals.queries[0, seen], table.permute(1, 0, 2).flatten(1))
        return columns

    def forward(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M R"]:
        """Values of all functions."""
        if not len(self.places):
            return points.new_zeros(*points.shape[:2], self.functions)
        tree = self._tree
        if tree is None:
            from scipy.spatial import cKDTree  # half a second to import, and only here

            tree = self._tree = cKDTree(self.places.double().cpu().numpy())
        count = min(NEIGHBOURS, len(self.places))
        asked = points.detach().flatten(0, 1).double().cpu().numpy()
        distance, index = tree.query(asked, list(range(1, count + 1)))
        share = 1.0 / (torch.from_numpy(distance).square() + SAME_PLACE)
        share = (share / share.sum(1, keepdim=True)).to(points)  # B*M 4
        near = torch.from_numpy(index).to(points.device)
        values = points.new_zeros(len(asked), self.functions)
        for n in range(count):
            values[:, : self.values.shape[1]] += share[:, n, None] * self.values[near[:, n]]
        return values.unflatten(0, points.shape[:2])

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Resize the buffers to those of the state, which depend on the training signals."""
        places, values = state.get(f"{prefix}places"), state.get(f"{prefix}values")
        if places is not None and values is not None and len(places) == len(values):
            if values.dim() == 2 and values.shape[1] <= self.functions:
                self.set(places.new_zeros(places.shape), values.new_zeros(values.shape))
        super()._load_from_state_dict(state, prefix, *rest)


def best_columns(
    residual: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"], design: Float[Tensor, "N T"]
) -> int:
    """The number of columns of the design with the smallest error; 0 if none lowers it.

    The first half of the signals determines the regression, the second half its error.
    """
    half = (len(residual) + 1) // 2
    if half == len(residual):
        return 0
    known, weight = share.expand(len(residual), -1).split(half)

    def error(columns: int) -> float:
        rest = residual[half:]
        if columns:
            table = regression(residual[:half], known, design[:half, :columns])
            rest = rest - torch.einsum("nt,tmf->nmf", design[half:, :columns], table)
        return float((weight[..., None] * rest.square()).double().sum())

    # the centre alone, then with twice as many axes each time
    candidates = [n for n in (0, 1, *(1 + 2**n for n in range(16))) if n <= design.shape[1]]
    return min(candidates, key=error)


def regression(
    residual: Float[Tensor, "N M F"], share: Float[Tensor, "#N M"], design: Float[Tensor, "N T"]
) -> Float[Tensor, "T M F"]:
    """Residuals as a linear function of a design of unit variance, at every point.

    Signals with a weight of 0 at a point are left out there: least squares with the covariance of
    the design over all signals.
    """
    known = (share > 0).to(residual).expand(len(residual), -1)
    sums = torch.einsum("nt,nm,nmf->tmf", design, known, residual)
    target = sums / known.sum(0).clamp_min(1.0)[:, None]
    moment = (design.T @ design / len(design)).double()
    moment += RIDGE * torch.eye(len(moment)).to(moment)
    solution = torch.linalg.solve(moment, target.flatten(1).double())
    return solution.to(residual).view_as(target)
