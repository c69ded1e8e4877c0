"""MP3 and Opus, the usual codecs for sound, through FFmpeg's libraries (PyAV)."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc.signal import Baseline
from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.reading import load, read_header
from inrc_modalities.audio.writing import save

LAME_SCALE = 0.95
"""Factor by which LAME 3.100 scales samples at up to 160 kbit/s (presets.c). It would limit PSNR to
about 55 dB, so the samples are divided by it before."""
LAYOUTS = ("mono", "stereo", "2.1", "quad", "5.0", "5.1", "6.1", "7.1")
"""FFmpeg's names of the layouts of one to eight channels."""


@dataclass(frozen=True)
class Lossy:
    """One of FFmpeg's encoders in its usual container."""

    encoder: str
    container: str
    rates: tuple[int, ...]
    """Sampling rates that it accepts, ascending; others are converted to the next higher."""
    channels: int
    scale: float = 1.0
    """Factor by which the encoder scales samples by default."""

    def encode(self, original: Path, quality: float) -> bytes:
        """Encode a file, container included; `quality` is the nominal bit rate in kbit/s.

        Raises:
            SignalError: more channels than the format allows, or a bit rate that it refuses.
        """
        header, samples = load(original)
        if header.channels > self.channels:
            raise SignalError(
                f"{original}: {header.channels} channels, {self.encoder} has {self.channels}; "
                "remix it"
            )
        rate = next((r for r in self.rates if r >= header.rate), self.rates[-1])
        buffer = io.BytesIO()
        try:
            with av.open(buffer, "w", format=self.container) as output:
                stream = output.add_stream(self.encoder, rate=rate)
                assert isinstance(stream, av.AudioStream)
                stream.layout = LAYOUTS[header.channels - 1]
                stream.bit_rate = round(quality * 1000)
                for frame in _converted(
                    _frames(header, samples / self.scale), stream.format.name, rate
                ):
                    output.mux(stream.encode(frame))
                output.mux(stream.encode(None))
        except (av.FFmpegError, ValueError) as error:
            reason = one_line(error)
            raise SignalError(f"{original}: {self.encoder} at {quality:g}: {reason}") from None
        return buffer.getvalue()

    def decode(self, data: bytes, original: Path, decoded: Path) -> None:
        """Decode to a file with the rate, length and format of the original."""
        header = read_header(original)
        with av.open(io.BytesIO(data), "r") as source:
            planes = [
                frame.to_ndarray()
                for frame in _converted(source.decode(audio=0), "fltp", header.rate)
            ]
        sound = np.concatenate(planes, axis=1)[:, : header.frames]
        sound = np.pad(sound, ((0, 0), (0, header.frames - sound.shape[1])))
        save(header.stored_as(decoded.suffix), [sound.T.astype(np.float64)], decoded)


def codecs() -> list[Baseline]:
    """MP3 by LAME, and Opus in Ogg, at constant nominal bit rates for a whole file."""
    # ISO 11172-3, 13818-3 and its 2.5 extension; RFC 6716
    mp3_rates = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
    mp3 = Lossy("libmp3lame", "mp3", mp3_rates, 2, LAME_SCALE)
    opus = Lossy("libopus", "ogg", (8000, 12000, 16000, 24000, 48000), 8)
    return [
        Baseline("MP3", "kbit/s", (8, 16, 24, 32, 48, 64, 96, 128, 160), mp3.encode, mp3.decode),
        Baseline("Opus", "kbit/s", (6, 8, 12, 16, 24, 32, 48, 64, 96, 128), opus.encode,
                 opus.decode),
    ]  # fmt: skip


def _frames(header: Header, samples: NDArray[np.float32]) -> Iterator[av.AudioFrame]:
    """Samples as frames of FFmpeg, one second each."""
    for at in range(0, header.frames, header.rate):
        block = np.ascontiguousarray(samples[:, at : at + header.rate])
        frame = av.AudioFrame.from_ndarray(block, "fltp", LAYOUTS[header.channels - 1])
        frame.sample_rate = header.rate
        frame.pts = at
        yield frame


def _converted(frames: Iterator[av.AudioFrame], form: str, rate: int) -> Iterator[av.AudioFrame]:
    """Frames in another format and rate, without the delay of the filter."""
    resampler = av.AudioResampler(form, None, rate)
    for frame in frames:
        yield from resampler.resample(frame)
    yield from resampler.resample(None)
