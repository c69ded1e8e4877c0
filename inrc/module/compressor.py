"""The one LightningModule: meta-learning, then the bottlenecks, then both together."""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from inrc.data import Batch, PatchDataset
from inrc.methods import Method
from inrc.module import calibration
from inrc.module.limits import check_counts, check_latents, check_learning_rates, diverged
from inrc.module.measures import Measures, own_rows, row_measures
from inrc.module.schedule import BOTTLENECK_STAGES, FIELD_STAGES, Schedule, Stage
from inrc.module.step import TrainingStep
from inrc.signal import Modality


class Compressor(L.LightningModule):
    """Trains one model in up to three stages, told apart by the number of steps done.

    represent: the field and the adapter learn; the outer loss is the distortion after the inner
    loop. compress: they are frozen, and the bottlenecks of all quality levels learn on their
    latents. joint: everything learns on rate and distortion together.

    Args:
        method: the field, the adapter and the bottlenecks.
        modality: how queries look at the field; taken from the data.
        represent: optimizer steps of the first stage.
        compress: optimizer steps of the second stage, at least 1.
        joint: optimizer steps of the third stage.
        observations: how many random observations of each row a step uses; None uses all.
        inner_observations: how many of these the inner loop uses; None uses all.
        lr: learning rate of the field and the adapter (Adam).
        bottleneck_lr: learning rate of the bottlenecks (Adam).
        warmup: steps of linear warm-up at the start of every stage.
        cosine: whether learning rates fall to zero along a cosine in every stage. The papers keep
            them constant.
        latent_distortion: train the bottlenecks on errors of the latent, measured in the signal's
            metric, instead of errors of the signal. This is cheaper and nearly as good. Ignored by
            bottlenecks that do not look at latents.

    Raises:
        UsageError: a number of steps or observations, or a learning rate, that cannot be.
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
        self.schedule = Schedule(represent, compress, joint, warmup, cosine)
        check_counts({"observations": observations, "inner_observations": inner_observations})
        check_learning_rates({"lr": lr, "bottleneck_lr": bottleneck_lr})
        self.method = method
        self.network = method.build(modality.point_dim, modality.value_dim, modality)
        check_latents(self.network.field.latent_dim)
        for bottleneck in self.network.quality_levels:
            bottleneck.prepare()
        self._restored_step = 0
        self.observations = observations
        self.inner_observations = inner_observations
        self.lr = lr
        self.bottleneck_lr = bottleneck_lr
        levels = self.network.quality_levels
        self.needs_latents = any(level.needs_latents for level in levels)
        # a bottleneck that does not look at latents has no metric of them
        self.latent_distortion = latent_distortion and self.needs_latents
        self.needs_metric = self.latent_distortion or any(level.needs_metric for level in levels)
        size = self.network.field.latent_dim if self.needs_metric else 0
        self.register_buffer("metric", torch.eye(size))
        # an optimizer needs a parameter, also where a method learns nothing
        learns = any(p.requires_grad for p in self.network.parameters())
        self.nothing = None if learns else nn.Parameter(torch.zeros(()))
        names = ["psnr", *(f"{name}_q{q}" for q in range(len(levels)) for name in ("rate", "psnr"))]
        self.measures = Measures([f"{split}/{name}" for split in ("val", "test") for name in names])

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One Adam; what a stage does not train has a learning rate of zero there."""
        network = self.network
        groups = [
            (network.field.parameters(), self.lr, FIELD_STAGES),
            (network.adapter.parameters(), self.lr, FIELD_STAGES),
            (network.bottlenecks.parameters(), self.bottleneck_lr, BOTTLENECK_STAGES),
        ]
        if self.nothing is not None:
            groups.append((iter([self.nothing]), 0.0, FIELD_STAGES))
        return self.schedule.adam(groups)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember how long a checkpoint was trained, also where nothing is trained further."""
        self._restored_step = int(checkpoint["global_step"])

    @property
    def steps_done(self) -> int:
        """Steps that the weights have been trained for."""
        return max(self.global_step, self._restored_step)

    @property
    def _training_rows(self) -> PatchDataset:
        rows: PatchDataset = self.trainer.datamodule.train_rows  # type: ignore[attr-defined]
        return rows

    def on_train_start(self) -> None:
        """Solve for what has a closed form; raises UsageError as `start_field` does."""
        if self.global_step == 0 and self.network.field.closed_form:
            rows, device = self._training_rows, self.device
            calibration.start_field(self.network, rows, device, self.method.name)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Start the bottlenecks from the latents when their stage begins."""
        if self.global_step == self.schedule.represent:
            self.calibrate()

    def calibrate(self) -> None:
        """Start every bottleneck; raises InrcError if training has diverged."""
        self.check_finite()
        calibration.calibrate(
            self.network, self.metric, self._training_rows, self.needs_latents, self.needs_metric
        )

    def tabulate(self) -> None:
        """Freeze the tables of every bottleneck; raises InrcError if training has diverged."""
        self.check_finite()
        calibration.tabulate(self.network, self._training_rows, self.needs_latents, self.device)

    def check_finite(self) -> None:
        """Raise InrcError if a tensor of the network is not finite."""
        name = calibration.non_finite(self.network)
        if name is not None:
            raise diverged(f"{name} is not finite", self.global_step, self.lr, self.bottleneck_lr)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Raise InrcError if a gradient is not finite, on all processes at the same step."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if not bool(nn.utils.get_total_norm(gradients).isfinite()):
            raise diverged(
                "a gradient is not finite", self.global_step, self.lr, self.bottleneck_lr
            )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of `TrainingStep`."""
        return self.loss(batch, self.schedule.stage(self.global_step))

    def loss(self, batch: Batch, stage: Stage) -> Tensor:
        """The loss of a step of this stage; what it measures is logged."""
        step = TrainingStep(
            self.network, stage, self.observations, self.inner_observations,
            self.metric if self.latent_distortion else None,
        )  # fmt: skip
        loss = step.loss(batch)
        for name, value in step.measures.items():
            self.log(f"train/{name}", value, prog_bar=name == "psnr")
        self.log("train/loss", loss)
        # every parameter takes part in every step, so that DDP needs no flag to find the others
        return loss + sum(0.0 * p.sum() for p in self.parameters() if p.requires_grad)

    def on_validation_start(self) -> None:
        """Renew the tables, so that rates of a validation are those of real symbols."""
        if self._coded("val"):
            self.tabulate()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Quality of the representation, and quality and rate of every quality level."""
        self._measure("val", batch)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all rows of all processes."""
        self._log_measures("val")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """The same for a trained codec."""
        self._measure("test", batch)

    def on_test_epoch_end(self) -> None:
        """Log the means over all rows of all processes."""
        self._log_measures("test")

    def _coded(self, split: str) -> bool:
        """Whether there are bottlenecks to measure."""
        if split == "test":
            return all(bottleneck.ready for bottleneck in self.network.quality_levels)
        return self.steps_done > self.schedule.represent

    def _measure(self, split: str, batch: Batch) -> None:
        counted = own_rows(batch.rows, self.trainer.global_rank, self.trainer.world_size)
        for name, values in row_measures(self.network, batch, self._coded(split)).items():
            self.measures.update(f"{split}/{name}", values, counted)

    def _log_measures(self, split: str) -> None:
        self.log(f"{split}/psnr", self.measures[f"{split}/psnr"], prog_bar=True)
        levels = len(self.network.quality_levels) if self._coded(split) else 0
        for number in range(levels):
            for name in (f"{split}/rate_q{number}", f"{split}/psnr_q{number}"):
                self.log(name, self.measures[name], prog_bar=number == levels - 1)
