"""The codec in two calls of Python."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from small_runs import image_run

import inrc
from inrc import codec
from inrc.errors import ModelError, SignalError, UsageError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_run(tmp_path_factory.mktemp("api"), [1e4])


def test_there_and_back(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = sorted((run / "sample").glob("*.png"))
    model = inrc.load(run / "codec.safetensors")
    data = inrc.compress(str(images[0]), run / "codec.safetensors")
    assert data == codec.compress([images[0]], model).data
    signal = inrc.decompress(data, model)
    array = signal.array()
    original = np.asarray(Pillow.open(images[0])) / 255.0
    assert array.shape == original.shape and array.dtype == np.float32
    assert np.abs(array - original).mean() < 0.2
    assert inrc.decompress(data, model, view=inrc.View(scale=2.0)).array().shape == (128, 128, 3)
    monkeypatch.setenv("INRC_MODELS", str(run))
    np.testing.assert_array_equal(inrc.decompress(data).array(), array)


def test_inference_mode_changes_no_byte_and_no_value(run: Path) -> None:
    image = sorted((run / "sample").glob("*.png"))[0]
    data = inrc.compress(image, run / "codec.safetensors")
    array = inrc.decompress(data, inrc.load(run / "codec.safetensors")).array()
    with torch.inference_mode():
        model = inrc.load(run / "codec.safetensors")
        assert inrc.compress(image, model) == data
        np.testing.assert_array_equal(inrc.decompress(data, model).array(), array)
        latents = next(codec.latents([image], model))
    assert not latents.is_inference()  # the model goes on outside
    assert inrc.compress(image, model) == data
    np.testing.assert_array_equal(inrc.decompress(data, model).array(), array)


def test_items_by_name_and_by_number(run: Path) -> None:
    images = sorted((run / "sample").glob("*.png"))[:2]
    model = inrc.load(run / "codec.safetensors")
    data = inrc.compress(images, model, quality=0)
    named = inrc.decompress(data, model, item=images[1].name).array()
    np.testing.assert_array_equal(named, inrc.decompress(data, model, item=1).array())
    np.testing.assert_array_equal(named, inrc.decompress(data, model, item=-1).array())
    for wrong in ("no.png", 2, -3):
        with pytest.raises(UsageError, match="no item"):
            inrc.decompress(data, model, item=wrong)


def test_what_cannot_be_done_raises(run: Path, tmp_path: Path) -> None:
    with pytest.raises(SignalError, match=r"none.png"):
        inrc.compress(
            [*(run / "sample").glob("*0.png"), tmp_path / "none.png"], run / "codec.safetensors"
        )
    with pytest.raises(ModelError):
        inrc.compress(tmp_path / "none.png", tmp_path / "none.safetensors")
    with pytest.raises(AttributeError, match="nothing"):
        inrc.nothing  # noqa: B018


def test_importing_inrc_brings_no_torch() -> None:
    code = "import inrc, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
