"""Images that are refused, and how."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from image_files import noise

from inrc.errors import InrcError, SignalError
from inrc.signal import View
from inrc_modalities.image import Image
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import FORMATS, save


def test_refused_files_are_named_in_one_line(tmp_path: Path) -> None:
    good = tmp_path / "good.png"
    save(noise("RGB", height=60, width=60), good)
    PIL.Image.new("CMYK", (4, 4)).save(tmp_path / "cmyk.jpg")
    PIL.Image.new("F", (4, 4)).save(tmp_path / "float.tif")
    PIL.Image.new("I", (4, 4)).save(tmp_path / "int.tif")
    tifffile.imwrite(tmp_path / "signed.tif", np.zeros((4, 4), np.int16))
    five = np.zeros((4, 4, 5), np.uint16)
    tifffile.imwrite(tmp_path / "five.tif", five, photometric="rgb", planarconfig="contig")
    pages = np.zeros((3, 4, 4), np.uint16)
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    frames = [PIL.Image.new("RGB", (4, 4), c) for c in ("red", "blue")]
    for name in ("moving.png", "moving.webp", "moving.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    for name, reason in {
        "missing.png": "no such file", "folder.png": "a folder", "empty.png": "empty",
        "text.png": "not an image", "cmyk.jpg": "CMYK", "float.tif": "float32", "int.tif": "int32",
        "signed.tif": "int16", "five.tif": "5 samples per pixel", "pages.tif": "3 pictures",
        "moving.png": "2 pictures", "moving.webp": "2 pictures", "moving.tif": "2 pictures",
    }.items():  # fmt: skip
        with pytest.raises(SignalError) as caught:
            Image().read(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and reason in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("suffix", "depth"), [(s, 8) for s in FORMATS] + [(s, 16) for s in FORMATS if FORMATS[s].deep]
)
def test_cut_files_are_refused(tmp_path: Path, suffix: str, depth: int) -> None:
    path = tmp_path / f"a{suffix}"
    save(noise("RGB", depth, 40, 50), path)
    content = path.read_bytes()
    for keep in (3, 20, 30, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:keep])
        with pytest.raises(SignalError, match=f"a{suffix}"):
            load(path)


def test_bombs_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for depth, suffix in [(8, ".png"), (16, ".png"), (8, ".tif"), (16, ".tif"), (8, ".jpg")]:
        save(noise("RGB", depth), tmp_path / f"b{depth}{suffix}")
    for limit in (200, 100):  # Pillow warns above the limit and raises above its double
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        for path in sorted(tmp_path.glob("b*")):
            with pytest.raises(SignalError, match="too large"):
                load(path)
    modality = Image(patch=4)
    meta = {"shape": [10, 9], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}
    assert modality.shape(meta) == (10, 9)
    with pytest.raises(SignalError, match="limit"):
        modality.shape({**meta, "shape": [1 << 40, 1 << 40]})
    with pytest.raises(SignalError, match="limit"):
        modality.plan_queries(meta, View(scale=1e300))


@pytest.mark.parametrize(
    "wrong",
    [{"shape": [0, 4]}, {"shape": [4]}, {"shape": "44"}, {"shape": [4, 4.0]}, {"mode": "CMYK"},
     {"depth": 12}, {"depth": 16, "mode": "1"}, {"mode": ["L"]}, {"shape": [True, 4]}],
)  # fmt: skip
def test_impossible_headers_are_refused(wrong: dict[str, object]) -> None:
    meta = {"shape": [4, 4], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}
    with pytest.raises(SignalError, match="header"):
        Image().shape({**meta, **wrong})


def test_writing_fails_cleanly(tmp_path: Path) -> None:
    pixels = noise("RGB")
    (tmp_path / "taken.png").mkdir()
    for name, reason in {
        "a.gif": "cannot write '.gif'", "a": "cannot write ''", "no/a.png": "its folder does not",
        "taken.png": "is a folder",
    }.items():  # fmt: skip
        with pytest.raises(InrcError, match=f"{name}: {reason}"):
            save(pixels, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize(
    "wrong",
    [{"patch": n} for n in (0, -3, True, 1 << 62)] + [{"channels": n} for n in (0, 5, True)],
)
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    (name,) = wrong
    with pytest.raises(SignalError, match=f"^image: {name} .*; give 1") as caught:
        Image(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_settings_of_other_types_are_refused() -> None:
    """In a process that does not check types, as for the settings of an archive."""
    code = """
from inrc.errors import SignalError
from inrc_modalities.image import Image
wrong = {"patch": (2.5, float("inf"), 1e308, "8", [8]), "channels": (3.0, None, [])}
for name, values in wrong.items():
    for value in values:
        try:
            Image(**{name: value})
        except SignalError as error:
            assert str(error).startswith(f"image: {name} "), error
        else:
            raise AssertionError((name, value))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
