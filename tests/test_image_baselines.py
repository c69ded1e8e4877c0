"""The image baselines: every byte counts, every layout comes back, quality follows the setting."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.image import Image
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.quality import shown
from inrc_modalities.image.reading import load
from inrc_modalities.image.sample import draw
from inrc_modalities.image.writing import save

EVERY = Image().baselines()
BASELINES = {each.name: each for each in EVERY if each.needs is None}
by_name = pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)


def scene(path: Path, mode: str = "RGB", deep: bool = False) -> Path:
    """A drawn picture of 47 by 64 pixels in any layout."""
    drawn = draw(np.random.default_rng(1), "L" if mode == "1" else mode).array[:47]
    array = drawn.astype(np.uint16) * 257 if deep else drawn
    save(Pixels(np.where(array > 127, 255, 0).astype("u1") if mode == "1" else array, mode), path)
    return path


def test_all_are_there() -> None:
    known = ["JPEG", "JPEG 2000", "WebP", "AVIF", "JPEG XL", "HEVC intra", "VVC intra"]
    assert [each.name for each in EVERY] == known
    assert set(known) - set(BASELINES) <= {"VVC intra"}
    if "VVC intra" not in BASELINES:
        assert EVERY[-1].needs == "a PyAV whose FFmpeg has libvvenc"
    assert Image(channels=1, patch=7).baselines()[0].name == "JPEG"


@by_name
def test_more_bytes_are_better(tmp_path: Path, baseline: Baseline) -> None:
    path, decoded = scene(tmp_path / "a.png"), tmp_path / "b.png"
    sizes, psnr = [], []
    for quality in baseline.qualities[1::3]:
        data = baseline.encode(path, quality)
        baseline.decode(data, tmp_path / "there is no original", decoded)
        sizes.append(len(data))
        psnr.append(Image().measure(path, decoded)["psnr"])
    assert sizes == sorted(sizes) and sizes[-1] < path.stat().st_size
    assert psnr == sorted(psnr) and psnr[0] > 18 and psnr[-1] > psnr[0] + 8


@by_name
@pytest.mark.parametrize(
    ("mode", "deep"),
    [("1", False), *((m, d) for m in ("L", "LA", "RGB", "RGBA") for d in (False, True))],
)
def test_layouts_come_back_or_are_refused(
    tmp_path: Path, baseline: Baseline, mode: str, deep: bool
) -> None:
    path, decoded = scene(tmp_path / "a.png", mode, deep), tmp_path / "b.png"
    able = baseline.name in ("JPEG 2000", "JPEG XL")
    if (deep and not able) or ("A" in mode and not able and baseline.name not in ("WebP", "AVIF")):
        with pytest.raises(
            SignalError, match=r"a\.png: this codec does not support (8|16) bits of"
        ):
            baseline.encode(path, baseline.qualities[-1])
        return
    data = baseline.encode(path, baseline.qualities[-1])
    baseline.decode(data, path, decoded)
    pixels = load(decoded)
    assert pixels.depth == (16 if deep else 8)
    assert ("A" in pixels.mode) == ("A" in mode)
    seen, wanted = (shown(each).astype(float) for each in (pixels, load(path)))
    assert (
        np.sqrt(np.mean((seen - (wanted if seen.ndim == wanted.ndim else wanted[..., None])) ** 2))
        < 6
    )


def test_the_bytes_are_those_of_the_formats(tmp_path: Path) -> None:
    path = scene(tmp_path / "a.png")
    for name, suffix in (("JPEG", "jpg"), ("WebP", "webp"), ("AVIF", "avif"), ("JPEG 2000", "j2k")):
        (tmp_path / f"b.{suffix}").write_bytes(BASELINES[name].encode(path, 40.0))
        with PIL.Image.open(tmp_path / f"b.{suffix}") as image:
            assert image.size == (64, 47) and image.convert("RGB").getpixel((3, 3))
    jxl, hevc = (BASELINES[name].encode(path, 20.0) for name in ("JPEG XL", "HEVC intra"))
    assert jxl[:2] == b"\xff\x0a"  # ISO/IEC 18181: a bare code stream
    assert hevc[:6] == b"\0\0\0\1\x40\x01"  # H.265, 7.3.1.2: it begins with the video parameters
    assert b"x265" not in hevc


@by_name
def test_damage_is_one_line(tmp_path: Path, baseline: Baseline) -> None:
    path, decoded = scene(tmp_path / "a.png"), tmp_path / "b.png"
    data = baseline.encode(path, baseline.qualities[3])
    for wrong in (b"", b"nonsense", data[: len(data) // 8]):
        with pytest.raises(SignalError, match=r"b\.png: the bytes to decode are damaged") as no:
            baseline.decode(wrong, path, decoded)
        assert "\n" not in str(no.value) and not decoded.exists()


def test_hevc_needs_some_pixels(tmp_path: Path) -> None:
    save(Pixels(np.zeros((40, 15, 3), np.uint8), "RGB"), tmp_path / "thin.png")
    with pytest.raises(SignalError, match="16 pixels per side"):
        BASELINES["HEVC intra"].encode(tmp_path / "thin.png", 20.0)
