"""The one training step of all stages and methods."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from inrc.adapt import distortion
from inrc.data import Batch
from inrc.methods.network import Network
from inrc.module.measures import psnr
from inrc.module.schedule import Stage, frozen


@dataclass
class TrainingStep:
    """Makes the loss of one step from a batch of whole rows.

    Args:
        network: what is trained.
        stage: the stage of the step.
        observations: how many random observations of each row the outer loss uses; None for all.
        inner_observations: how many of these the inner loop uses; None for all.
        metric: K K, the signal's metric of latents, to train bottlenecks on errors of the latent;
            None for errors of the signal.
    """

    network: Network
    stage: Stage
    observations: int | None
    inner_observations: int | None
    metric: Tensor | None
    measures: dict[str, Tensor] = field(default_factory=dict)
    """What the step has measured, by name; PSNR in dB, rates in bits per observation."""

    def loss(self, batch: Batch) -> Tensor:
        """The loss of the batch, with the graph of what the stage trains."""
        network, learns = self.network, self.stage is not Stage.COMPRESS
        outer = _pick(batch, self.observations)
        inner = _pick(outer, self.inner_observations)
        with frozen(network.field, network.adapter, when=not learns):
            latent = network.adapter(
                network.predict, inner.queries, inner.features, inner.weights,
                create_graph=learns, rows=inner.rows,
            )  # fmt: skip
            if self.stage is Stage.REPRESENT:
                error = self._distortion(latent, outer).mean()
                self.measures["psnr"] = psnr(error)
                return error + network.field.penalty(latent).mean()
            return self._rate_and_distortion(latent, outer, batch.features.shape[1])

    def _rate_and_distortion(self, latent: Tensor, outer: Batch, size: int) -> Tensor:
        """Of all quality levels; a row has `size` observations in all."""
        loss = latent.new_zeros(())
        for number, bottleneck in enumerate(self.network.quality_levels):
            decoded, bits = bottleneck(latent)
            if self.metric is None:
                distortion = self._distortion(decoded, outer).mean()
            else:
                error = decoded - latent
                distortion = ((error @ self.metric) * error).sum(1).mean()
            rate, lmbda = bits.mean() / size, bottleneck.lmbda
            # divided by the root of lambda, so that no quality level drowns the others
            loss = loss + (rate + lmbda * distortion) / max(lmbda, 1.0) ** 0.5
            self.measures[f"rate_q{number}"] = rate
            self.measures[f"psnr_q{number}"] = psnr(distortion)
        return loss

    def _distortion(self, latent: Tensor, batch: Batch) -> Tensor:
        predicted = self.network.predict(latent, batch.queries)
        return distortion(predicted, batch.features, batch.weights)


def _pick(batch: Batch, count: int | None) -> Batch:
    """Random observations of the rows, the same of all."""
    size = batch.features.shape[1]
    if count is None or count >= size:
        return batch
    return batch.pick(torch.randperm(size, device=batch.features.device)[:count])
