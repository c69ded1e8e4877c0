"""COIN: one network per signal."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import exp, log, log2
from typing import Any, ClassVar

from inrc.adapt import SoapFit
from inrc.entropy import Bottleneck, FixedPoint, HalfOrFixedPoint
from inrc.errors import ModelError, UsageError
from inrc.fields import PerSignalSiren
from inrc.fields.own import parameters
from inrc.methods.families import SirenMethod
from inrc.methods.network import Network, Observer

MAX_PARAMETERS = 1 << 24
"""Maximum number of parameters of a network."""
DEPTHS = (
    (parameters(2, 3, 12, 2), 2), (parameters(2, 3, 22, 2), 2),
    (parameters(2, 3, 20, 5), 5), (parameters(2, 3, 30, 5), 5), (parameters(2, 3, 28, 10), 10),
    (parameters(2, 3, 40, 10), 10), (parameters(2, 3, 49, 13), 13),
)  # fmt: skip
"""Parameters and depths of the published architectures: of CIFAR-10 (two layers, COIN++'s
repository) and of Kodak (COIN, table of app. A)."""
MAX_LR = 1e-2
"""Highest learning rate times depth. Measured on photographs: 5x20 is best at 2e-3 to 4e-3, and
some diverge at 5e-3; 10x28 is best at 5e-4 and 1e-3, worse at 1.5e-3."""
BITS_PER_WEIGHT = 6.6
"""Bits of a weight at a loss of 0.05 dB (measured: a photograph, 5x20). Half or twice the loss
takes half a bit more or less: the distortion rises with the square of a step."""
DEFAULT_SUBSET = 2048
"""Observations of a step. Measured at equal seconds, in dB relative to 8,192: Kodak's kodim02 +0.3
(5x20) and +0.2 (10x28), a signed distance (5x20) +4; fewer than 2,048 gain no more."""
DEFAULT_SPREAD = 0.5
"""Initial frequencies of the first layer, relative to those of a SIREN, which suit hundreds of
units. Measured at equal steps, in dB relative to 1: CIFAR-10 +1.5 (2x12) and +2.5 (5x9), signed
distances (5x20) +1 and +2, Kodak's kodim02 +0.5 (5x20) and +0.2 (10x28), two more photographs -0.2
to +0.1. 0.7 and 0.25 gain less."""
FLOAT_LOSS = 0.002
"""dB that the last quality level loses, about."""


@dataclass
class COIN(SirenMethod):
    """COIN (arXiv:2103.03123): the weights of one SIREN per signal. There is nothing to train.

    As in the paper: `depth` sine layers of `width` units, w0 = 30 in all of them, the best weights
    of the second half of the run, 16-bit floats. Different: SOAP instead of Adam, a higher learning
    rate (1e-2 / depth by default) that falls along a cosine, steps on a subset of the observations,
    lower initial frequencies, and fixed point with a step per tensor, range-coded. A quality level
    is a loss in dB by quantisation; the last one uses the paper's floats if they are smaller than
    equally good fixed point. Everything is evaluated in 32 bits.

    The paper's run, except for Adam, is steps=50000, lr=2e-4, subset=None, constant=True, spread=1.

    Args:
        steps: optimizer steps for a file.
        lr: highest learning rate; None chooses 1e-2 / depth.
        subset: observations of a step; None uses all.
        patience: checks without progress after which a fit ends early.
        constant: keep the learning rate constant, as COIN does, instead of along a cosine.
        spread: frequencies of the first layer at the start, relative to those of a SIREN.
        seed: seed of the initial weights.
        losses: for each quality level, the dB that quantisation may cost.
    """

    name = "coin"
    learns: ClassVar[bool] = False
    width: int = 20
    depth: int = 5
    w0: float = 30.0
    steps: int = 4000
    lr: float | None = None
    subset: int | None = DEFAULT_SUBSET
    patience: int = 4
    constant: bool = False
    spread: float = DEFAULT_SPREAD
    seed: int = 0
    losses: list[float] = field(default_factory=lambda: [1.0, 0.5, 0.2, 0.05])

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table.

        Raises ModelError for sizes that no network has, or more than 2^24 parameters.
        """
        numbers = (self.width, self.depth, point_dim, value_dim)
        if (
            not all(type(n) is int and 1 <= n < MAX_PARAMETERS for n in numbers)
            or self.depth > 1000
        ):
            raise ModelError(f"coin: {self.depth!r:.20} layers of {self.width!r:.20} units")
        sound = len(self.losses) < 255 and all(0.0 < loss < 100.0 for loss in self.losses)
        if not sound or not 0.0 < self.w0 < 1e6:
            raise ModelError(f"coin: w0 {self.w0!r:.20} or losses {self.losses!r:.40} out of range")
        if parameters(point_dim, value_dim, self.width, self.depth) > MAX_PARAMETERS:
            raise ModelError(f"coin: {self.depth}x{self.width} has more than 2^24 parameters")
        siren = PerSignalSiren(point_dim, value_dim, self.width, self.depth, self.w0)
        lr = MAX_LR / self.depth if self.lr is None else self.lr
        bottlenecks: list[Bottleneck] = [FixedPoint(siren.tensors, loss) for loss in self.losses]
        return Network(
            siren,
            SoapFit(
                siren.random(self.seed, self.spread), siren.matrices, self.steps, lr,
                self.subset, self.patience, self.constant, self.seed,
            ),
            [*bottlenecks, HalfOrFixedPoint(siren.tensors)],
            observer,
        )  # fmt: skip

    def decoding(self) -> dict[str, Any]:
        """The settings of the network, without defaults.

        The defaults of `w0` and `losses` are part of the file format.
        """
        usual = COIN()
        said: dict[str, Any] = {"width": self.width, "depth": self.depth}
        if self.w0 != usual.w0:
            said["w0"] = self.w0
        if len(self.losses) != len(usual.losses):  # a decoder counts them
            said["losses"] = self.losses
        return said

    def sized(self, layers: int, width: int) -> "COIN":
        """The same method with this number of sine layers and units."""
        return replace(self, depth=layers, width=width)

    def rated(self, bits: float, quality: int | None, point_dim: int, value_dim: int) -> "COIN":
        """The same method with an architecture that takes about this number of bits.

        The depth is interpolated between the published architectures over the logarithm of the
        number of parameters; the width is the largest that fits.

        Raises UsageError if the smallest network takes more.
        """
        bottlenecks = [*self.losses, FLOAT_LOSS]
        loss = bottlenecks[
            len(bottlenecks) // 2 if quality is None else min(max(quality, 0), len(bottlenecks) - 1)
        ]
        most = bits / max(BITS_PER_WEIGHT - 0.5 * log2(loss / 0.05), 1.0)
        depth = _depth(most)
        while depth > 1 and parameters(point_dim, value_dim, 2, depth) > most:
            depth -= 1
        if parameters(point_dim, value_dim, 1, depth) > most:
            raise UsageError(f"coin: the smallest network takes more than {bits:.0f} bits")
        low, high = 1, 1 << 12
        while high - low > 1:
            middle = (low + high) // 2
            fits = parameters(point_dim, value_dim, middle, depth) <= most
            low, high = (middle, high) if fits else (low, middle)
        return self.sized(depth, low)


def _depth(count: float) -> int:
    """Depth for a number of parameters, interpolated between the published ones."""
    sizes = [size for size, _ in DEPTHS]
    at = bisect_right(sizes, count)
    if at in (0, len(DEPTHS)):
        return DEPTHS[max(0, at - 1)][1]
    (small, shallow), (large, deep) = DEPTHS[at - 1], DEPTHS[at]
    share = (log(count) - log(small)) / (log(large) - log(small))
    return round(exp(log(shallow) + share * (log(deep) - log(shallow))))
