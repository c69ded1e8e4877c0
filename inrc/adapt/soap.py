"""SOAP: Adam in the eigenbasis of second moments of the gradient of a matrix, row by row."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

MOMENTS = (0.9, 0.99)
"""Decay of the moments and of the factors. Measured on CIFAR-10 and Kodak: 0.95 for either is equal
or worse, 0.999 for the second is 0.4 to 0.9 dB worse."""
REFRESH_INTERVAL = 10
"""Steps between two bases, as in the authors' code; 3 and 30 are equally good here."""
EPSILON = 1e-8


class Soap:
    """Rows of latents, each with its own optimiser (arXiv:2409.11321, algorithm 3).

    A row is a sequence of matrices. For the gradient G of a matrix, L and R are decayed means of
    G G^T and G^T G; their eigenvectors U and V rotate it to U^T G V, where Adam's second moment is
    closer to the curvature. Before the first refresh the method is Adam.

    The authors keep the second moments when the basis changes. Here they are transformed like
    variances of independent numbers, by the squares of U_old^T U_new and V_old^T V_new.

    Args:
        start: latents of all rows before the first step.
        shapes: rows and columns of each matrix, in the order in which they make up a latent.
        rows: number of latents.
    """

    def __init__(
        self, start: Float[Tensor, "K"], shapes: Sequence[tuple[int, int]], rows: int
    ) -> None:
        self.latent = start.expand(rows, -1).clone()
        self.blocks = list(_blocks(self.latent, shapes))
        self.count = 0

    @torch.no_grad()
    def step(self, gradient: Float[Tensor, "B K"], lr: float) -> None:
        """One step of all rows, with a refresh of their bases if it is due."""
        self.count += 1
        for block in self.blocks:
            block.step(gradient, lr, self.count)

    def restart(self, rows: Tensor, latent: Float[Tensor, "B K"]) -> None:
        """Reset rows to these latents, without moments."""
        self.latent[rows] = latent[rows]
        for block in self.blocks:
            for memory in (block.first, block.second, block.left, block.right):
                memory[rows] = 0.0


def _blocks(latent: Tensor, shapes: Sequence[tuple[int, int]]) -> Iterator["_Block"]:
    """One block for consecutive matrices of equal shape."""
    at = 0
    for (rows, columns), same in groupby(shapes):
        size = len(list(same)) * rows * columns
        yield _Block(latent, slice(at, at + size), rows, columns)
        at += size


class _Block:
    """N matrices of the same shape in each latent."""

    def __init__(self, latent: Tensor, part: slice, rows: int, columns: int) -> None:
        self.part = part
        self.matrix = latent[:, part].unflatten(1, (-1, rows, columns))  # B N I O, a view
        self.first = torch.zeros_like(self.matrix)
        self.second = torch.zeros_like(self.matrix)
        self.left = self.first.new_zeros(*self.first.shape[:2], rows, rows)
        self.right = self.first.new_zeros(*self.first.shape[:2], columns, columns)
        self.u = torch.eye(rows).to(self.left).expand_as(self.left)
        self.v = torch.eye(columns).to(self.right).expand_as(self.right)

    def step(self, gradient: Float[Tensor, "B K"], lr: float, count: int) -> None:
        g = gradient[:, self.part].view_as(self.matrix)
        self.left.lerp_(g @ g.mT, 1.0 - MOMENTS[1])
        self.right.lerp_(g.mT @ g, 1.0 - MOMENTS[1])
        if count % REFRESH_INTERVAL == 0:
            self._turn()
        turned = self.u.mT @ g @ self.v
        self.first.lerp_(turned, 1.0 - MOMENTS[0])
        self.second.mul_(MOMENTS[1]).addcmul_(turned, turned, value=1.0 - MOMENTS[1])
        root = (self.second / (1.0 - MOMENTS[1] ** count)).sqrt_().add_(EPSILON)
        move = self.first / root / (1.0 - MOMENTS[0] ** count)
        self.matrix.sub_(self.u @ move @ self.v.mT, alpha=lr)

    def _turn(self) -> None:
        """Change to the eigenvectors of the factors, with the moments."""
        u, v = _eigenvectors(self.left), _eigenvectors(self.right)
        left, right = self.u.mT @ u, self.v.mT @ v
        self.first = left.mT @ self.first @ right
        self.second = left.square().mT @ self.second @ right.square()
        self.u, self.v = u, v


def _eigenvectors(factor: Float[Tensor, "B N I I"]) -> Float[Tensor, "B N I I"]:
    """Eigenvectors of each factor; arbitrary for factors that are not finite."""
    finite = torch.isfinite(factor).all(-1).all(-1)[..., None, None]
    return torch.linalg.eigh(torch.where(finite, factor, 0.0))[1]
