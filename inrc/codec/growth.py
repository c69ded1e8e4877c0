"""Archives that are larger or worse than they should be: refused, or named in one line."""

from inrc.codec.encoding import Compressed
from inrc.errors import SignalError
from inrc.model import Model

ALWAYS_WRITTEN = 4096
"""Bytes: a block of most file systems, which a smaller file takes as well."""
RATE_FACTOR = 3.0
"""Times the mean rate of the training files, and `MARGIN` times the highest one."""
MARGIN = 1.5
DECIBELS = 10.0
"""Below the PSNR of the training files: ten times their squared error."""


def check_growth(made: Compressed, model: Model, name: str = "archive") -> list[str]:
    """Compare an archive with a lossless coding of its values and with the training files.

    Returns a line for each way in which the files are unlike the training data. Archives of up to
    4096 bytes are always accepted.

    Raises:
        SignalError: the archive is larger than a lossless coding of the values.
    """
    if made.lossless and len(made.data) > max(made.lossless, ALWAYS_WRITTEN):
        raise SignalError(
            f"{name}: not written: it would have {len(made.data):,} bytes, and a lossless coding "
            f"of the values has about {made.lossless:,}; use a lower quality, a model that was "
            "trained on such files, or a lossless format"
        )
    expected = model.expected(made.quality)
    if expected is None or len(made.data) <= ALWAYS_WRITTEN:
        return []
    highest = max(made.rates)
    if highest > max(RATE_FACTOR * expected.rate, MARGIN * expected.max_rate):
        return [
            f"{name}: unlike the training data: {highest:.3g} bits per {model.modality.unit}, "
            f"where the files of the training take {expected.rate:.3g}; another model may suit it"
        ]
    return []


def error_warning(psnr: float, quality: int, model: Model, name: str) -> list[str]:
    """A line if decoded files are far worse than those of the training data were."""
    expected = model.expected(quality)
    if expected is None or not psnr < expected.psnr - DECIBELS:
        return []
    return [
        f"{name}: unlike the training data: {psnr:.1f} dB, where the files of the training "
        f"have {expected.psnr:.1f} dB; another model may suit it"
    ]
