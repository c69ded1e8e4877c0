"""Volume rendering: what a ray sees of the density and colour along it.

The quadrature of Max ("Optical models for direct volume rendering", 1995), as in NeRF
(arXiv:2003.08934, eq. 3): C = sum_k T_k (1 - exp(-s_k d)) c_k + T_end background, with
T_k = exp(-sum_{j<k} s_j d). It is exact where density and colour are constant within a step.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.errors import SignalError

DENSITY_GAIN = 32.0
"""A value one above its start makes a density of about 32 per radius of the ball: solid within two
of 32 steps."""
DENSITY_SHIFT = -1.0
"""Fields start as a thin fog that light and gradients pass through (mip-NeRF, arXiv:2103.13415)."""
COLOUR_GAIN = 8.0
"""Values in [0, 1] make colours in [0.02, 0.98]."""
START = 0.5
"""What a new field answers everywhere."""

_Y0 = 0.5 / math.sqrt(math.pi)
_Y1 = math.sqrt(0.75 / math.pi)
_Y2 = 0.25 * math.sqrt(15.0 / math.pi)


def check(
    near: float, far: float, bound: float, samples: int, background: list[float], directions: int
) -> None:
    """Raise SignalError for settings of rendering that are out of range."""
    if not (0.0 <= near < far < math.inf and 0.0 < bound < math.inf):
        raise SignalError(
            f"nerf: near {near}, far {far}, bound {bound}; give 0 <= near < far and bound > 0"
        )
    if len(background) != 3 or not all(0.0 <= each <= 1.0 for each in background):
        raise SignalError(f"nerf: background {background}; give red, green and blue, 0 to 1")
    if samples < 1:
        raise SignalError(f"nerf: samples {samples}; give 1 or more")
    if directions not in (0, 1, 2):
        raise SignalError(f"nerf: directions of degree {directions}; give 0, 1 or 2")


def interval(
    rays: Float[Tensor, "B M 7"], near: float, far: float, bound: float
) -> tuple[Float[Tensor, "B M"], Float[Tensor, "B M"]]:
    """Where the sampled part of a ray begins, and how long it is (0 if the ray misses the ball).

    It lies between `near` and `far` and within the ball of radius `bound` around the origin.
    """
    origin, direction = rays[..., :3], rays[..., 3:6]
    nearest = -(origin * direction).sum(-1)
    # of the closest point, not |o|^2 - b^2, which would cancel for cameras that are far away
    apart = (origin + nearest[..., None] * direction).square().sum(-1)
    half = (bound * bound - apart).clamp_min(0.0).sqrt()
    begin = (nearest - half).clamp_min(near)
    end = (nearest + half).clamp_max(far)
    return begin, (end - begin).clamp_min(0.0)


def walk(
    rays: Float[Tensor, "B M 7"],
    begin: Float[Tensor, "B M"],
    length: Float[Tensor, "B M"],
    samples: int,
) -> Float[Tensor, "B M S 3"]:
    """One point in each of `samples` equal steps of every ray's interval."""
    steps = torch.arange(samples, device=rays.device, dtype=rays.dtype)
    share = (steps + rays[..., 6:]) / samples  # B M S
    distance = begin[..., None] + share * length[..., None]
    return rays[..., None, :3] + distance[..., None] * rays[..., None, 3:6]


def density(values: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Density per radius of the ball, from what the field answers."""
    return torch.nn.functional.softplus(DENSITY_GAIN * (values - START) + DENSITY_SHIFT)


def colour(
    values: Float[Tensor, "B M S F"], direction: Float[Tensor, "B M 3"], degree: int
) -> Float[Tensor, "B M S 3"]:
    """Colour seen from a direction: sigmoid of a sum of spherical harmonics (arXiv:2103.14024).

    Values are the coefficients of the harmonics, three channels each. The density never depends
    on the direction: it is not an input of the field.
    """
    logits = COLOUR_GAIN * (values - START)
    if degree > 0:
        waves = harmonics(direction, degree) / _Y0  # B M H
        logits = torch.einsum("bmshc,bmh->bmsc", logits.unflatten(-1, (-1, 3)), waves)
    return torch.sigmoid(logits)


def composite(
    density: Float[Tensor, "B M S"],
    colour: Float[Tensor, "B M S 3"],
    step: Float[Tensor, "B M"],
    background: Float[Tensor, " 3"],
) -> Float[Tensor, "B M 3"]:
    """The colour at the beginning of rays with these densities and colours, step by step."""
    depth = density * step[..., None]
    through = torch.exp(-depth.cumsum(-1))  # B M S, after each step
    before = torch.cat([torch.ones_like(through[..., :1]), through[..., :-1]], dim=-1)
    # T_k (1 - exp(-s_k d)), without the cancellation of a difference of two T
    weight = before * -torch.expm1(-depth)
    seen = torch.einsum("bms,bmsc->bmc", weight, colour)
    return seen + through[..., -1:] * background


def harmonics(direction: Float[Tensor, "*any 3"], degree: int) -> Float[Tensor, "*any H"]:
    """Real spherical harmonics of unit vectors up to a degree of 2: H = (degree + 1)^2 of them."""
    x, y, z = direction.unbind(-1)
    waves = [torch.full_like(x, _Y0)]
    if degree > 0:
        waves += [_Y1 * y, _Y1 * z, _Y1 * x]
    if degree > 1:
        waves += [
            2.0 * _Y2 * x * y,
            2.0 * _Y2 * y * z,
            _Y2 / math.sqrt(3.0) * (3.0 * z * z - 1.0),
            2.0 * _Y2 * x * z,
            _Y2 * (x * x - y * y),
        ]
    return torch.stack(waves, dim=-1)
