"""The one LightningModule: meta-learning, then the bottlenecks, then both together."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from inrc.adapt import distortion
from inrc.data import Batch, PatchDataset
from inrc.errors import UsageError
from inrc.methods import Method
from inrc.signal import Modality

SKETCH = 512
"""Training rows from which the bottlenecks are started, at least."""
EACH = 8
"""The same for each latent: the covariance of fewer signals is mostly noise."""

CLOSED_FORM = 20_000
"""Training rows that a closed form looks at, at most."""


class Compressor(L.LightningModule):
    """Trains one model in up to three stages, told apart by the number of steps done.

    represent: the field and the adapter learn, the outer loss is the distortion after the inner
    loop. compress: they are frozen, and all quality levels of bottlenecks learns on their latents.
    joint: everything learns on rate and distortion together.

    Args:
        method: which field, adapter and bottlenecks.
        modality: how queries look at the field; linked from the data.
        represent: optimizer steps of the first stage.
        compress: of the second.
        joint: of the third.
        observations: random observations of each row that a step looks at; None takes all.
        inner_observations: of these, how many the inner loop looks at; None takes all.
        lr: outer learning rate of field and adapter (Adam).
        bottleneck_lr: learning rate of the bottlenecks.
        warmup: steps of warm-up at the start of every stage.
        cosine: rates fall to zero along a cosine in every stage; else they stay, as in the papers.
        latent_distortion: the bottlenecks answer for errors of the latent, measured in the
            signal's metric, instead of errors of the signal: cheaper, nearly as good. Bottlenecks
            that look at no latents answer for the signal all the same.
    """

    metric: Tensor

    def __init__(
        self,
        method: Method,
        modality: Modality,
        represent: int = 2000,
        compress: int = 1000,
        joint: int = 0,
        observations: int | None = 1024,
        inner_observations: int | None = 512,
        lr: float = 1e-3,
        bottleneck_lr: float = 1e-3,
        warmup: int = 50,
        cosine: bool = True,
        latent_distortion: bool = False,
    ) -> None:
        super().__init__()
        self.method = method
        self.network = method.build(modality.point_dim, modality.value_dim, modality)
        for bottleneck in self.network.quality_levels:
            bottleneck.prepare()
        self.stages = (represent, compress, joint)
        self.observations = observations
        self.inner_observations = inner_observations
        self.lr = lr
        self.bottleneck_lr = bottleneck_lr
        self.warmup = warmup
        self.cosine = cosine
        self.needs_latents = any(
            bottleneck.needs_latents for bottleneck in self.network.quality_levels
        )
        # bottlenecks that look at no latents know no metric of them: what counts is the signal
        self.latent_distortion = latent_distortion and self.needs_latents
        levels = self.network.quality_levels
        self.needs_metric = self.latent_distortion or any(
            bottleneck.needs_metric for bottleneck in levels
        )
        size = self.network.field.latent_dim if self.needs_metric else 0
        self.register_buffer("metric", torch.eye(size))
        # an optimizer wants something to train, also where a method learns nothing
        learns = any(p.requires_grad for p in self.network.parameters())
        self.nothing = None if learns else nn.Parameter(torch.zeros(()))
        self._ends = [sum(self.stages[: i + 1]) for i in range(3)]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One Adam; what a stage does not train has a rate of zero there."""
        network = self.network
        learners = [*network.field.parameters(), *network.adapter.parameters()]
        bottlenecks = [p for p in network.bottlenecks.parameters() if p.requires_grad]
        learners = [p for p in learners if p.requires_grad]
        groups: list[dict[str, Any]] = []
        schedules = []
        if learners:
            groups.append({"params": learners, "lr": self.lr})
            schedules.append(lambda step: self._schedule(step, (True, False, True)))
        if bottlenecks:
            groups.append({"params": bottlenecks, "lr": self.bottleneck_lr})
            schedules.append(lambda step: self._schedule(step, (False, True, True)))
        if self.nothing is not None:
            groups.append({"params": [self.nothing], "lr": 0.0})
            schedules.append(lambda step: 1.0)
        optimizer = Adam(groups)
        scheduler = LambdaLR(optimizer, schedules)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def stage(self, step: int) -> int:
        """0 represent, 1 compress, 2 joint."""
        return next((i for i, end in enumerate(self._ends) if step < end), 2)

    def _schedule(self, step: int, active: tuple[bool, bool, bool]) -> float:
        """Linear warm-up and decay within a stage; joint learns at a tenth."""
        stage = self.stage(step)
        if not active[stage]:
            return 0.0
        length = max(self.stages[stage], 1)
        done = step - (self._ends[stage] - length)
        warm = min(1.0, (done + 1) / max(self.warmup, 1))
        decay = 0.5 + 0.5 * math.cos(math.pi * min(done / length, 1.0)) if self.cosine else 1.0
        return warm * decay * (0.1 if stage == 2 else 1.0)

    def on_train_start(self) -> None:
        """Find what has a closed form, from all training signals."""
        if self.global_step == 0 and self.network.field.closed_form:
            rows: PatchDataset = self.trainer.datamodule.train_rows  # type: ignore[attr-defined]
            every = torch.linspace(0, len(rows) - 1, min(CLOSED_FORM, len(rows))).long()
            queries, features, weights = self._here(rows.select(every))
            points = self.network.observer.points(queries[:1, :1])
            if points.shape[2] != 1:
                raise UsageError(
                    f"method {self.method.name}: solves for a field's values in closed form, but "
                    f"an observation looks at {points.shape[2]} points; take coinpp or vcinr"
                )
            self.network.field.start(queries, features, weights)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Start the bottlenecks from the latents when their stage begins."""
        if self.global_step == self._ends[0]:
            self.calibrate()

    def training_rows(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """The first training rows, the same on every process."""
        rows: PatchDataset = self.trainer.datamodule.train_rows  # type: ignore[attr-defined]
        field = self.network.field
        least = max(SKETCH, EACH * field.latent_dim)
        # of signals with long tails, a few hundred say little; a closed form encodes many quickly
        count = min(CLOSED_FORM if field.closed_form else least, CLOSED_FORM, len(rows))
        return rows.select(torch.linspace(0, len(rows) - 1, count).long())

    def calibrate(self) -> None:
        """Fit every bottleneck's start to the latents of the training signals."""
        rows = self.training_rows()
        q, x, w = self._here(rows)
        latents = x.new_zeros(0, self.network.field.latent_dim)
        if self.needs_latents:
            latents = self.network.fit_latents(q, x, w)
        if self.needs_metric:
            self.metric.copy_(self.network.metric(latents, q, w))
        for bottleneck in self.network.quality_levels:
            bottleneck.calibrate(latents, self.metric, x.shape[1])

    def _here(
        self, part: tuple[Tensor, Tensor, Tensor | None]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        queries, features, weights = part
        place = self.device
        return (
            queries.to(place),
            features.to(place),
            None if weights is None else weights.to(place),
        )

    def tabulate(self) -> None:
        """Freeze the integer tables of every bottleneck, from all training rows."""
        rows: PatchDataset = self.trainer.datamodule.train_rows  # type: ignore[attr-defined]
        portions = rows.portions(SKETCH) if self.needs_latents else []
        every = [self.network.fit_latents(*self._here(part)) for part in portions]
        latents = torch.cat([self.metric.new_zeros(0, self.network.field.latent_dim), *every])
        for bottleneck in self.network.quality_levels:
            bottleneck.tabulate(latents)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The one step of all stages and methods."""
        stage = self.stage(self.global_step)
        learn = stage != 1
        batch = self._pick(batch, self.observations)
        inner = self._pick(batch, self.inner_observations)
        with _frozen(self.network.field, self.network.adapter, when=not learn):
            latent = self.network.adapter(
                self.network.predict, inner.queries, inner.features, inner.weights,
                create_graph=learn, rows=inner.rows,
            )  # fmt: skip
            if stage == 0:
                error = self._distortion(latent, batch).mean()
                self.log("train/psnr", _psnr(error), prog_bar=True)
                loss = error + self.network.field.penalty(latent).mean()
            else:
                loss = self._ladder_loss(latent, batch)
        # every parameter takes part in every step, so that DDP needs no flag to find the others
        idle = sum(0.0 * p.sum() for p in self.parameters() if p.requires_grad)
        self.log("train/loss", loss)
        return loss + idle

    def _ladder_loss(self, latent: Tensor, batch: Batch) -> Tensor:
        loss = latent.new_zeros(())
        size = batch.features.shape[1] if self.observations is None else self.row_size
        for number, bottleneck in enumerate(self.network.quality_levels):
            decoded, bits = bottleneck(latent)
            if self.latent_distortion:
                error = decoded - latent
                distortion = ((error @ self.metric) * error).sum(1)
            else:
                distortion = self._distortion(decoded, batch)
            rate = bits.mean() / size
            # divided by its weight, so that no quality level drowns the others
            loss = (
                loss
                + (rate + bottleneck.lmbda * distortion.mean()) / max(bottleneck.lmbda, 1.0) ** 0.5
            )
            self.log(f"train/rate_q{number}", rate)
            self.log(f"train/psnr_q{number}", _psnr(distortion.mean()))
        return loss

    def _distortion(self, latent: Tensor, batch: Batch) -> Tensor:
        y = self.network.predict(latent, batch.queries)
        return distortion(y, batch.features, batch.weights)

    def _pick(self, batch: Batch, count: int | None) -> Batch:
        size = batch.features.shape[1]
        self.row_size = max(size, getattr(self, "row_size", 0))
        if count is None or count >= size:
            return batch
        return batch.pick(torch.randperm(size, device=batch.features.device)[:count])

    def on_validation_start(self) -> None:
        """Tables follow the bottlenecks: rates of a validation are those of real symbols."""
        if self.global_step > self._ends[0]:
            self.tabulate()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Quality of the representation, and quality and rate of every quality level."""
        self._judge("val", batch, self.global_step > self._ends[0])

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same of a trained codec."""
        self._judge(
            "test", batch, all(bottleneck.ready for bottleneck in self.network.quality_levels)
        )

    def _judge(self, split: str, batch: Batch, coded: bool) -> None:
        latent = self.network.fit_latents(batch.queries, batch.features, batch.weights)
        self._report(f"{split}/psnr", latent, batch, prog_bar=True)
        if not coded:
            return
        for number, bottleneck in enumerate(self.network.quality_levels):
            symbols = bottleneck.quantize(latent)
            rate = bottleneck.bits(symbols).mean() / batch.features.shape[1]
            last = number == len(self.network.bottlenecks) - 1
            self.log(
                f"{split}/rate_q{number}", rate, prog_bar=last, sync_dist=True,
                batch_size=len(latent),
            )  # fmt: skip
            self._report(
                f"{split}/psnr_q{number}", bottleneck.dequantize(symbols), batch, prog_bar=last
            )

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Decoded features of the rows, unquantised."""
        latent = self.network.fit_latents(batch.queries, batch.features, batch.weights)
        return self.network.decode(latent, batch.queries)

    def _report(self, name: str, latent: Tensor, batch: Batch, prog_bar: bool) -> None:
        y = self.network.decode(latent, batch.queries)
        psnr = _psnr(distortion(y, batch.features, batch.weights)).mean()
        self.log(name, psnr, prog_bar=prog_bar, sync_dist=True, batch_size=len(latent))


def _psnr(mse: Tensor) -> Tensor:
    """PSNR in dB of features in [0, 1]."""
    return -10.0 * torch.log10(mse.detach().clamp_min(1e-12))


@contextmanager
def _frozen(*modules: nn.Module, when: bool) -> Iterator[None]:
    """Let no gradient flow into these parameters within the block."""
    touched = [p for m in modules for p in m.parameters() if when and p.requires_grad]
    for p in touched:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in touched:
            p.requires_grad_(True)
