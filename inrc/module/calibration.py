"""Closed forms, starts and tables, which come from training rows without gradient steps."""

import torch
from torch import Tensor

from inrc.data import PatchDataset
from inrc.errors import UsageError
from inrc.methods.metric import latent_metric
from inrc.methods.network import Network

MIN_CALIBRATION_ROWS = 512
"""Bottlenecks start from at least so many training rows."""
ROWS_PER_LATENT = 8
"""And from at least so many for each latent: the covariance of fewer is mostly noise."""
MAX_CLOSED_FORM_ROWS = 20_000
"""A closed form uses no more training rows than this."""

Part = tuple[Tensor, Tensor, Tensor | None]
"""Queries, features and weights of some rows."""


def start_field(network: Network, rows: PatchDataset, device: torch.device, method: str) -> None:
    """Solve for what a field has in closed form, from evenly spread training rows.

    Raises UsageError if an observation looks at more than one point of the field: then it is no
    value of the field.
    """
    queries, features, weights = _on_device(_spread(rows, MAX_CLOSED_FORM_ROWS), device)
    points = network.observer.points(queries[:1, :1])
    if points.shape[2] != 1:
        raise UsageError(
            f"method {method}: solves for a field's values in closed form, but an observation "
            f"looks at {points.shape[2]} points; use coinpp or vcinr"
        )
    network.field.start(queries, features, weights)


def calibrate(
    network: Network, metric: Tensor, rows: PatchDataset, needs_latents: bool, needs_metric: bool
) -> None:
    """Start every bottleneck from the latents of training rows, the same on every process.

    Args:
        network: its bottlenecks are changed.
        metric: K K, is set to the metric of latents where it is needed.
        rows: all training rows.
        needs_latents: whether the bottlenecks look at latents at all.
        needs_metric: whether `metric` is used.
    """
    field = network.field
    count = max(MIN_CALIBRATION_ROWS, ROWS_PER_LATENT * field.latent_dim)
    # a closed form encodes quickly, and more rows show the tails of the distribution
    count = MAX_CLOSED_FORM_ROWS if field.closed_form else min(count, MAX_CLOSED_FORM_ROWS)
    q, x, w = _on_device(_spread(rows, count), metric.device)
    latents = network.fit_latents(q, x, w) if needs_latents else x.new_zeros(0, field.latent_dim)
    if needs_metric:
        metric.copy_(latent_metric(network, latents, q, w))
    for bottleneck in network.quality_levels:
        bottleneck.calibrate(latents, metric, x.shape[1])


def tabulate(
    network: Network, rows: PatchDataset, needs_latents: bool, device: torch.device
) -> None:
    """Freeze the integer tables of every bottleneck, from all training rows."""
    portions = rows.portions(MIN_CALIBRATION_ROWS) if needs_latents else []
    every = [network.fit_latents(*_on_device(part, device)) for part in portions]
    latents = torch.cat([torch.zeros(0, network.field.latent_dim, device=device), *every])
    for bottleneck in network.quality_levels:
        bottleneck.tabulate(latents)


def non_finite(network: Network) -> str | None:
    """The name of a tensor that is not finite; None if all are."""
    for name, tensor in network.state_dict().items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            if not bool(tensor.isfinite().all()):
                return str(name)
    return None


def _spread(rows: PatchDataset, count: int) -> Part:
    return rows.select(torch.linspace(0, len(rows) - 1, min(count, len(rows))).long())


def _on_device(part: Part, device: torch.device) -> Part:
    queries, features, weights = part
    return (
        queries.to(device), features.to(device), None if weights is None else weights.to(device)
    )  # fmt: skip
