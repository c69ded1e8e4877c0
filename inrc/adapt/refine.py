"""A longer search for a latent than the one that training paid for."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

FIRST = 0.1
"""First step relative to a row's root mean square; half of it gains less at any length tried, 5 to 100."""
BETAS = (0.9, 0.99)
"""Of Adam; a search is too short for the second moment's usual memory of 1000 steps."""


def refine(
    latent: Float[Tensor, "B K"], distort: Callable[[Tensor], Tensor], iterations: int
) -> Float[Tensor, "B K"]:
    """Adam from a latent that other means have found, with a cosine schedule; the best of all.

    `distort` takes latents to each row's distortion (B), differentiably. Rows are independent; one
    whose distortion never falls keeps its latent.
    """
    at = latent.detach().clone()
    size = FIRST * at.square().mean(1, keepdim=True).sqrt()
    best, least = at.clone(), at.new_full((len(at),), math.inf)
    first, second = torch.zeros_like(at), torch.zeros_like(at)
    for step in range(iterations + 1):
        at = at.detach().requires_grad_()
        with torch.enable_grad():
            loss = distort(at)
        better = loss.detach() < least
        best = torch.where(better[:, None], at.detach(), best)
        least = torch.where(better, loss.detach(), least)
        if step == iterations:
            break
        (slope,) = torch.autograd.grad(loss.sum(), at)
        # rows differ in scale, so does Adam's epsilon
        slope = slope / slope.square().mean(1, keepdim=True).sqrt().clamp_min(1e-30)
        first = BETAS[0] * first + (1 - BETAS[0]) * slope
        second = BETAS[1] * second + (1 - BETAS[1]) * slope.square()
        mean = first / (1 - BETAS[0] ** (step + 1))
        spread = (second / (1 - BETAS[1] ** (step + 1))).sqrt()
        rate = 0.5 + 0.5 * math.cos(math.pi * step / iterations)
        at = at.detach() - rate * size * mean / (spread + 1e-8)
    return best
