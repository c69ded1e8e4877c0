"""Images that are refused, and how."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from image_files import QUICK, noise

from inrc.errors import SignalError
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
        "text.png": "not an image", "cmyk.jpg": "CMYK", "float.tif": "'F'", "int.tif": "'I'",
        "signed.tif": "16-bit samples", "five.tif": "5 per pixel", "pages.tif": "3 pictures",
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


@QUICK
@given(st.data())
def test_damaged_files_never_raise_anything_else(tmp_path: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(FORMATS)))
    depth = 16 if FORMATS[suffix].deep and data.draw(st.booleans()) else 8
    path = tmp_path / f"d{suffix}"
    save(noise("RGB", depth), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        array = load(path).array
    except SignalError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert array.ndim == 3


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
     {"depth": 12}, {"depth": 16, "mode": "1"}, {"icc": "text"}, {"icc": bytes(9999)},
     {"mode": ["L"]}, {"shape": [True, 4]}],
)  # fmt: skip
def test_impossible_headers_are_refused(wrong: dict[str, object]) -> None:
    meta = {"shape": [4, 4], "mode": "RGB", "depth": 8, "suffix": ".png", "icc": None}
    with pytest.raises(SignalError, match="header"):
        Image().shape({**meta, **wrong})


def test_writing_fails_cleanly(tmp_path: Path) -> None:
    pixels = noise("RGB")
    for path in (tmp_path / "a.gif", tmp_path / "no" / "a.png", tmp_path):
        with pytest.raises(SignalError, match=r"write|written"):
            save(pixels, path)
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(SignalError, match="cannot be written"):
        save(pixels, tmp_path / "taken.png")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.png"]


@pytest.mark.parametrize("wrong", [{"patch": 0}, {"patch": -3}, {"channels": 0}, {"channels": 5}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SignalError):
        Image(**wrong)  # type: ignore[arg-type]
