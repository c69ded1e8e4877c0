"""A SIREN per signal: the latent is the network itself."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.fields.field import Field, Layer, SineLayers
from inrc.fields.siren import initial_bound


def sizes(point_dim: int, value_dim: int, width: int, depth: int) -> Iterator[tuple[int, int]]:
    """Inputs and outputs of `depth` sine layers of `width` units and of the linear layer."""
    return pairwise([point_dim, *[width] * depth, value_dim])


def parameters(point_dim: int, value_dim: int, width: int, depth: int) -> int:
    """Weights and biases of such a network (COIN, arXiv:2103.03123, app. A)."""
    return sum((rows + 1) * columns for rows, columns in sizes(point_dim, value_dim, width, depth))


class PerSignalSiren(Field):
    """COIN (arXiv:2103.03123), sec. 2: every signal has a SIREN of its own; nothing is shared.

    h' = sin(w0 (W h + b)) in every sine layer, W h + b in the last. The K latents are, layer by
    layer, the matrix (inputs x outputs, row by row) and then the bias.

    Args:
        point_dim: D.
        value_dim: F.
        width: units of a sine layer.
        depth: sine layers.
        w0: of all sines.
    """

    def __init__(
        self, point_dim: int, value_dim: int, width: int, depth: int, w0: float = 30.0
    ) -> None:
        super().__init__(point_dim, value_dim, parameters(point_dim, value_dim, width, depth))
        self.shapes = list(sizes(point_dim, value_dim, width, depth))
        self.hidden = max(width, value_dim)
        self.w0 = w0

    @property
    def width(self) -> int:
        return self.hidden

    @property
    def tensors(self) -> list[int]:
        """Number of latents of each matrix and bias, in their order."""
        return [size for rows, columns in self.shapes for size in (rows * columns, columns)]

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Rows and columns of each layer; the bias is the last row."""
        return [(rows + 1, columns) for rows, columns in self.shapes]

    def random(self, seed: int, spread: float = 1.0) -> Float[Tensor, "K"]:
        """Initial weights, the same for the same seed.

        W and b are uniform in +-1/D in the first layer and +-sqrt(6 / inputs) / w0 after it (SIREN,
        arXiv:2006.09661, sec. 3.2; biases as in COIN's code); the output starts at 1/2, as features
        lie in [0, 1]. The first W, which holds the frequencies, is multiplied by `spread`.
        """
        generator = torch.Generator().manual_seed(seed)
        bounds = []
        for number, (rows, columns) in enumerate(self.shapes):
            bound = initial_bound(number, rows, self.w0)
            bounds.append(torch.full(((rows + 1) * columns,), bound))
        start = torch.cat(bounds) * (2.0 * torch.rand(self.latent_dim, generator=generator) - 1.0)
        start[: math.prod(self.shapes[0])] *= spread
        start[-self.value_dim :] = 0.5
        return start

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        layers = []
        pieces = iter(latent.split(self.tensors, dim=1))
        for number, (rows, columns) in enumerate(self.shapes):
            scale = self.w0 if number < len(self.shapes) - 1 else 1.0
            matrix = scale * next(pieces).unflatten(1, (rows, columns))  # B I O
            layers.append(Layer(matrix, scale * next(pieces).unsqueeze(1)))
        return SineLayers(tuple(layers))
