"""The linear rival at many lengths and steps: the components and histograms of `inrc.evaluation`.

What a neural codec has to beat: the basis is the best one for its training data and free, as the
model of a neural codec is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from inrc.errors import SignalError
from inrc.evaluation.components import Floats, components
from inrc.evaluation.histograms import histograms


@dataclass(frozen=True)
class Coded:
    """Test rows after quantisation, and the bytes of their one stream; step 0 leaves them as is."""

    components: int
    step: float
    bytes: int
    rows: Floats


def sweep(
    train: Floats, test: Floats, many: Sequence[int], steps: Sequence[float]
) -> Iterator[Coded]:
    """Components of training rows N D, all combinations; a step of 0 does not quantise.

    Numbers of components that the training rows do not give are left out.

    Raises SignalError for a step so small that a symbol does not fit 31 bits.
    """
    basis = components(train, max(many))
    training, fresh = basis.project(train), basis.project(test)
    for count in many:
        if count > len(basis.basis):
            continue
        for step in steps:
            if step == 0:
                yield Coded(count, 0.0, 0, basis.expand(fresh[:, :count]))
                continue
            coder = histograms(training[:, :count], step)
            symbols = coder.quantise(fresh[:, :count])
            stream = coder.encode(symbols)
            if not np.array_equal(coder.decode(stream, len(symbols)), symbols):
                raise SignalError("linear: the stream does not decode to what was encoded")
            yield Coded(count, step, len(stream), basis.expand(symbols * step))
