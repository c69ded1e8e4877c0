"""What validations and tests log: means over all rows, on one process or many."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torchmetrics import MeanMetric

from inrc.adapt import distortion
from inrc.data import Batch
from inrc.methods.network import Network

MIN_MSE = 1e-12
"""Smaller errors are not told apart: a PSNR is at most 120 dB."""


class Measures(nn.Module):
    """Means over rows, by the names under which they are logged.

    Args:
        names: what is measured.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        # states of metrics are not persistent: neither checkpoints nor model files hold them
        means = {name: MeanMetric(nan_strategy="disable") for name in names}
        self.means = nn.ModuleDict(means)

    def __getitem__(self, name: str) -> MeanMetric:
        """The metric of this name."""
        metric = self.means[name]
        assert isinstance(metric, MeanMetric)
        return metric

    def update(self, name: str, values: Float[Tensor, "B"], counted: Bool[Tensor, "B"]) -> None:
        """Add the values of those rows of a batch where `counted` is true."""
        self[name].update(values[counted])


def own_rows(rows: Int[Tensor, "B"], rank: int, world_size: int) -> Bool[Tensor, "B"]:
    """Whether each row of a batch, by its number, counts on this process.

    A distributed sampler gives process r of R the rows r, r + R, r + 2 R, ... and fills the shares
    up with repeated rows, so that all are equally long. Here every row counts once, on the process
    that its number names.
    """
    return rows % world_size == rank


@torch.no_grad()
def row_measures(network: Network, batch: Batch, coded: bool) -> dict[str, Float[Tensor, "B"]]:
    """Measures of every row: `psnr`, and for each quality level `rate_qN` and `psnr_qN`.

    Args:
        network: encodes and decodes the rows.
        batch: whole rows.
        coded: whether the bottlenecks have tables; without, there is `psnr` only.

    Returns:
        PSNR in dB, and rates in bits per observation.
    """
    latent = network.fit_latents(batch.queries, batch.features, batch.weights)
    measures = {"psnr": _decoded_psnr(network, latent, batch)}
    for number, bottleneck in enumerate(network.quality_levels if coded else []):
        symbols = bottleneck.quantize(latent)
        measures[f"rate_q{number}"] = bottleneck.bits(symbols) / batch.features.shape[1]
        measures[f"psnr_q{number}"] = _decoded_psnr(network, bottleneck.dequantize(symbols), batch)
    return measures


def _decoded_psnr(network: Network, latent: Tensor, batch: Batch) -> Float[Tensor, "B"]:
    y = network.decode(latent, batch.queries)
    return psnr(distortion(y, batch.features, batch.weights))


def psnr(mse: Tensor) -> Tensor:
    """PSNR in dB of features in [0, 1]."""
    return -10.0 * torch.log10(mse.detach().clamp_min(MIN_MSE))
