"""The three stages of training, told apart by the number of steps done."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from itertools import accumulate
from typing import Any

from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn
from torch.nn import Parameter
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from inrc.errors import UsageError

JOINT_FACTOR = 0.1
"""Learning rates of the joint stage, which starts from trained weights, relative to the others."""


class Stage(Enum):
    """The stages of training, in their order."""

    REPRESENT = "represent"
    COMPRESS = "compress"
    JOINT = "joint"


FIELD_STAGES = (Stage.REPRESENT, Stage.JOINT)
"""Stages that train the field and the adapter."""
BOTTLENECK_STAGES = (Stage.COMPRESS, Stage.JOINT)
"""Stages that train the bottlenecks."""


@dataclass(frozen=True)
class Schedule:
    """How many steps each stage has, and how learning rates change within one.

    Args:
        represent: steps of the first stage.
        compress: steps of the second stage.
        joint: steps of the third stage.
        warmup: steps of linear warm-up at the start of every stage.
        cosine: whether learning rates fall to zero along a cosine in every stage.

    Raises:
        UsageError: a number of steps is negative, or the second stage has no step. The codec's
            tables are made from what the second stage starts.
    """

    represent: int
    compress: int
    joint: int
    warmup: int
    cosine: bool

    def __post_init__(self) -> None:
        for name, least in (("represent", 0), ("compress", 1), ("joint", 0), ("warmup", 0)):
            steps = getattr(self, name)
            if steps < least:
                raise UsageError(f"model.{name}: {steps} steps; give {least} or more")

    @property
    def steps(self) -> dict[Stage, int]:
        """Steps of each stage."""
        counts = (self.represent, self.compress, self.joint)
        return dict(zip(Stage, counts, strict=True))

    @property
    def total(self) -> int:
        """Steps of all stages."""
        return sum(self.steps.values())

    @property
    def ends(self) -> dict[Stage, int]:
        """The number of steps done when each stage ends."""
        return dict(zip(Stage, accumulate(self.steps.values()), strict=True))

    def stage(self, step: int) -> Stage:
        """The stage of a step; the last one goes on for ever."""
        return next((stage for stage, end in self.ends.items() if step < end), Stage.JOINT)

    def factor(self, step: int, active: Collection[Stage]) -> float:
        """What a learning rate is multiplied by at a step.

        Args:
            step: number of steps done.
            active: the stages that train these parameters.
        """
        stage = self.stage(step)
        if stage not in active:
            return 0.0
        length = max(self.steps[stage], 1)
        done = step - (self.ends[stage] - length)
        warm = min(1.0, (done + 1) / max(self.warmup, 1))
        decay = 0.5 + 0.5 * math.cos(math.pi * min(done / length, 1.0)) if self.cosine else 1.0
        return warm * decay * (JOINT_FACTOR if stage is Stage.JOINT else 1.0)

    def adam(
        self, groups: Iterable[tuple[Iterable[Parameter], float, Collection[Stage]]]
    ) -> OptimizerLRSchedulerConfig:
        """One Adam for parameters, each group with its learning rate and the stages it learns in.

        Parameters that need no gradient are left out.
        """
        options: list[dict[str, Any]] = []
        factors: list[Callable[[int], float]] = []
        for parameters, lr, active in groups:
            params = [p for p in parameters if p.requires_grad]
            if params:
                options.append({"params": params, "lr": lr})
                factors.append(partial(self.factor, active=active))
        optimizer = Adam(options)
        schedule = LambdaLR(optimizer, factors)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@contextmanager
def frozen(*modules: nn.Module, when: bool) -> Iterator[None]:
    """Let no gradient flow into these parameters within the block."""
    parameters = [p for m in modules for p in m.parameters() if when and p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)
