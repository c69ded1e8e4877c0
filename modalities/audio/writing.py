"""Samples to sound files, a block at a time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.audio.formats import BITS, Header


def save(header: Header, blocks: Iterable[NDArray[np.float64]], path: Path) -> None:
    """Write a file of exactly this header, from blocks of frames by channels.

    Integers are rounded to the nearest level and clipped.

    Raises:
        SignalError: samples that the format does not support, or a failing disk. No file remains.
    """
    try:
        with soundfile.SoundFile(
            str(path), "w", header.rate, header.channels, header.subtype, None, header.format,
            # 0 is the best quality of a lossy format; FLAC is lossless at any level
            compression_level=0.0 if header.format == "OGG" else None,
        ) as file:  # fmt: skip
            for block in blocks:
                file.write(stored(block, header.subtype))
    except (soundfile.SoundFileError, OSError, RuntimeError, AssertionError, ValueError) as error:
        if path.is_file():
            path.unlink()
        reason = getattr(error, "error_string", "") or one_line(error)
        raise SignalError(
            f"{path}: cannot be written ({reason}); check the folder and the disk"
        ) from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def stored(samples: NDArray[np.float64], subtype: str) -> NDArray[Any]:
    """Samples that libsndfile writes unchanged, frames by channels.

    It reads an integer i of b bits as i / 2^(b-1), but writes x as x (2^(b-1) - 1). Integers,
    left-aligned in 32 bits, are written as they are.
    """
    bits = BITS.get(subtype)
    if bits is None:
        return samples if subtype == "DOUBLE" else samples.astype(np.float32)
    full = 1 << (bits - 1)
    levels = np.clip(np.floor(samples * full + 0.5), -full, full - 1)
    return levels.astype(np.int32) << np.int32(32 - bits)
