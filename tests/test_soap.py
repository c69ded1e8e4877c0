"""SOAP: as a textbook has it, every row for itself."""

import numpy as np
import torch
from numpy.typing import NDArray

from inrc.adapt.soap import EPSILON, MOMENTS, REFRESH_INTERVAL, Soap

Array = NDArray[np.float64]
SHAPES = [(3, 4), (5, 4), (5, 4), (5, 2)]
SIZE = sum(rows * columns for rows, columns in SHAPES)


def textbook(start: Array, gradients: list[Array], shape: tuple[int, int], rate: float) -> Array:
    """One matrix, the moments kept on the axes: the first a matrix, the second a tensor."""
    b1, b2 = MOMENTS
    w, m = start.reshape(shape), np.zeros(shape)
    left, right = np.zeros((shape[0],) * 2), np.zeros((shape[1],) * 2)
    u, v = np.eye(shape[0]), np.eye(shape[1])
    second = np.zeros(shape)
    for t, flat in enumerate(gradients, 1):
        g = flat.reshape(shape)
        m = b1 * m + (1 - b1) * g
        left = b2 * left + (1 - b2) * g @ g.T
        right = b2 * right + (1 - b2) * g.T @ g
        if t % REFRESH_INTERVAL == 0:
            u_new, v_new = np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]
            # a covariance that is diagonal in the old basis; its diagonal in the new one
            before = np.kron(u, v) @ np.diag(second.ravel()) @ np.kron(u, v).T
            basis = np.kron(u_new, v_new)
            second = (basis.T @ before @ basis).diagonal().reshape(shape)
            u, v = u_new, v_new
        second = b2 * second + (1 - b2) * (u.T @ g @ v) ** 2
        ahead = u.T @ m @ v / (1 - b1**t)
        w = w - rate * u @ (ahead / (np.sqrt(second / (1 - b2**t)) + EPSILON)) @ v.T
    return w.ravel()


def test_it_is_the_textbooks_for_every_row_and_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(SIZE, generator=generator, dtype=torch.float64)
    steps = 3 * REFRESH_INTERVAL + 2
    gradients = torch.randn(steps, 3, SIZE, generator=generator, dtype=torch.float64)
    soap = Soap(start, SHAPES, rows=3)
    for gradient in gradients:
        soap.step(gradient, 0.01)
    for row in range(3):
        alone = Soap(start, SHAPES, rows=1)
        for gradient in gradients:
            alone.step(gradient[row : row + 1], 0.01)
        torch.testing.assert_close(alone.latent, soap.latent[row : row + 1], rtol=0, atol=1e-12)
        at = 0
        for rows, columns in SHAPES:
            part = slice(at, at + rows * columns)
            own = [gradient[row, part].numpy() for gradient in gradients]
            expected = textbook(start[part].numpy(), own, (rows, columns), 0.01)
            np.testing.assert_allclose(soap.latent[row, part].numpy(), expected, atol=1e-10)
            at = part.stop


def test_a_row_that_is_astray_troubles_no_other() -> None:
    generator = torch.Generator().manual_seed(2)
    gradients = torch.randn(2 * REFRESH_INTERVAL, 2, SIZE, generator=generator)
    both, alone = Soap(torch.zeros(SIZE), SHAPES, rows=2), Soap(torch.zeros(SIZE), SHAPES, rows=1)
    for gradient in gradients:
        alone.step(gradient[1:], 0.01)
        gradient[0] = torch.nan
        both.step(gradient, 0.01)
    torch.testing.assert_close(both.latent[1:], alone.latent)
    both.restart(~torch.isfinite(both.latent).all(1), torch.zeros(2, SIZE))
    both.step(torch.ones(2, SIZE), 0.01)
    assert torch.isfinite(both.latent).all() and bool((both.latent[0] != 0).any())
