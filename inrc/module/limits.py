"""Settings of training that cannot be, and training that diverges, each refused in one line."""

import math
from collections.abc import Mapping

from inrc.errors import InrcError, UsageError


def check_counts(counts: Mapping[str, int | None]) -> None:
    """Raise UsageError if a number of observations is below 1; None stands for all."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"model.{name}: {count}; give 1 or more, or null for all")


def check_learning_rates(rates: Mapping[str, float]) -> None:
    """Raise UsageError if a learning rate is negative or not finite."""
    for name, value in rates.items():
        if not 0 <= value < math.inf:
            raise UsageError(f"model.{name}: {value}; give a number of 0 or more")


def check_latents(count: int) -> None:
    """Raise UsageError if a field has no latents."""
    if count < 1:
        raise UsageError("model.method: no latents; give a latent_dim of 1 or more")


def diverged(reason: str, step: int, lr: float, bottleneck_lr: float) -> InrcError:
    """The error of a training whose values are not finite."""
    return InrcError(
        f"training diverged at step {step}: {reason}; no codec was exported; lower model.lr (now "
        f"{lr:g}) or model.bottleneck_lr (now {bottleneck_lr:g}), or raise model.warmup"
    )
