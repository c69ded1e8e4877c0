"""Rows with a known shift between them."""

import math

from inrc.evaluation import Result

RATES = (0.1, 0.2, 0.4, 0.8)


QUALITY = (26.0, 29.0, 32.0, 35.0)


def row(codec: str, setting: float, rate: float, psnr: float, file: str = "a") -> Result:
    return Result(
        codec=codec, setting=setting, setting_unit="x", file=f"{file}.png", file_id=file,
        modality="image", unit="pixel", units=1000, bytes=math.ceil(rate * 125), rate=rate,
        measures={"psnr": psnr}, encode_seconds=0.1, decode_seconds=0.01,
        model="ab12cd" if codec.startswith("inrc") else None,
        model_bytes=1000 if codec.startswith("inrc") else None, device="cpu",
    )  # fmt: skip


def pair(shift: float = 1.0, gain: float = 0.0) -> list[Result]:
    """Two codecs, of which ours needs `shift` times the rate and is `gain` dB better."""
    return [
        row(codec, number, rate * factor, quality + more, file)
        for file in ("a", "b")
        for codec, factor, more in (("JPEG 2000", 1.0, 0.0), ("inrc basis", shift, gain))
        for number, (rate, quality) in enumerate(zip(RATES, QUALITY, strict=True))
    ]
