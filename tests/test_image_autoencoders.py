"""CompressAI's autoencoders beside a model: trained, honest bytes, the same pixels, refusals."""

import math
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from inrc.errors import ModelError, SignalError
from inrc.evaluation.baselines import missing
from inrc.signal import Baseline
from inrc_modalities.image import Image
from inrc_modalities.image.autoencoders import KINDS, beside, load, padded
from inrc_modalities.image.pixels import Pixels
from inrc_modalities.image.reading import load as load_pixels
from inrc_modalities.image.sample import draw, write
from inrc_modalities.image.train_autoencoder import (
    Settings,
    crops,
    main,
    pictures_in,
    train,
    train_all,
)
from inrc_modalities.image.writing import save

FACTORIZED, HYPERPRIOR = KINDS
LAMBDAS = (0.01, 0.05)
SMALL = Settings(channels=8, latents=12, steps=10, crop=32, batch=4)
WORDS = 16
"""Bytes that the library's coder may need more than the likelihoods say: its 64-bit state, once for
each string."""
by_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the name of a model and both kinds of autoencoders, made by the command."""
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "drawn", 0, 6, "RGB")
    (folder / "codec.safetensors").write_bytes(b"a model")
    for kind in KINDS:
        words = [str(folder / "drawn"), "-m", str(folder / "codec.safetensors"), "--codec", kind]
        for name, value in asdict(SMALL).items():
            words += [f"--{name}", str(value)]
        assert main([*words, "--lambdas", *map(str, LAMBDAS)]) == 0
    return folder


def by_name(folder: Path) -> dict[str, Baseline]:
    codecs = Image().baselines(folder / "codec.safetensors")
    return {each.name: each for each in codecs if each.name in KINDS}


def scene(path: Path, height: int, width: int, mode: str = "RGB") -> Path:
    save(Pixels(draw(np.random.default_rng(5), mode).array[:height, :width], mode), path)
    return path


def test_training_lessens_the_loss(tmp_path: Path) -> None:
    pictures = pictures_in(write(tmp_path, 0, 3, "RGB"))
    losses = []
    for steps in (1, 20):
        settings = Settings(channels=8, latents=12, steps=steps, crop=32, batch=4)
        _, rate, error = train(FACTORIZED, pictures, 0.05, settings)
        losses.append(0.05 * 255**2 * error + rate)
    assert losses[1] < 0.75 * losses[0]


def test_a_fresh_process_decodes_the_same_pixels(trained: Path, tmp_path: Path) -> None:
    original = scene(tmp_path / "a.png", 37, 50)
    for kind, codec in by_name(trained).items():
        assert codec.qualities == LAMBDAS and missing(codec) is None
        data = codec.encode(original, LAMBDAS[1])
        (tmp_path / kind).write_bytes(data)
        codec.decode(data, tmp_path / "there is no original", tmp_path / f"here.{kind}.png")
    code = (
        "from pathlib import Path; from inrc_modalities.image import Image;"
        f"here = Path({str(tmp_path)!r});"
        f"codecs = Image().baselines(Path({str(trained / 'codec.safetensors')!r}));"
        "[codec.decode((here / codec.name).read_bytes(), here, here / f'there.{codec.name}.png')"
        f" for codec in codecs if codec.name in {list(KINDS)!r}]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for kind in KINDS:
        here, there = (
            load_pixels(tmp_path / f"{name}.{kind}.png").array for name in ("here", "there")
        )
        assert here.shape == (37, 50, 3) and np.array_equal(here, there)
        assert len(np.unique(here)) > 10


@by_kind
def test_pixels_and_bytes_are_those_of_the_network(
    trained: Path, tmp_path: Path, kind: str
) -> None:
    """The library's own forward pass, which rounds but codes nothing, says what both must be."""
    codecs = load(beside(trained / "codec.safetensors", kind))
    array = load_pixels(scene(tmp_path / "a.png", 33, 64)).array
    for lmbda, model in codecs.models.items():
        if kind == HYPERPRIOR:
            # after few steps latents are far beyond their scales: the coder writes such ones
            # otherwise, and the likelihoods end at 1e-9
            model.h_s[-2].bias.data += 2
        data = codecs.encode(array, lmbda)
        picture = torch.from_numpy(array.copy()).permute(2, 0, 1)[None] / 255
        with torch.no_grad():
            made = model(padded(picture, model.downsampling_factor))
        bits = sum(-float(each.log2().sum()) for each in made["likelihoods"].values())
        strings = len(made["likelihoods"])
        assert abs(len(data) - bits / 8) <= 0.03 * bits / 8 + WORDS * strings
        wanted = made["x_hat"][0, :, :33].clamp(0, 1).permute(1, 2, 0) * 255
        off = np.abs(codecs.decode(data).astype(float) - wanted.numpy())
        assert off.max() <= 0.5 + 1e-2


@by_kind
@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 16), (17, 64)])
def test_every_size_and_layout_comes_back(
    trained: Path, tmp_path: Path, kind: str, height: int, width: int
) -> None:
    codec = by_name(trained)[kind]
    for mode in ("RGB", "L"):
        original = scene(tmp_path / f"{mode}.png", height, width, mode)
        codec.decode(codec.encode(original, LAMBDAS[0]), original, tmp_path / "b.png")
        assert load_pixels(tmp_path / "b.png").array.shape == (height, width, 3)
        assert math.isfinite(Image().measure(original, tmp_path / "b.png")["psnr"])
    with pytest.raises(SignalError, match="this codec does not support 8 bits of RGBA"):
        codec.encode(scene(tmp_path / "c.png", 20, 20, "RGBA"), LAMBDAS[0])


def test_what_is_padded_repeats_the_edge() -> None:
    picture = torch.arange(6.0).reshape(1, 1, 2, 3).expand(1, 3, 2, 3)
    square = padded(picture, 4)[0, 0]
    assert square.tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert padded(picture[..., :2], 2).shape == (1, 3, 2, 2)


def test_crops_are_squares_of_the_pictures() -> None:
    torch.manual_seed(0)
    pictures = [torch.randint(256, (9, 7, 3), dtype=torch.uint8) for _ in range(3)]
    every = {
        turned[i : i + 7].flatten().numpy().tobytes()
        for picture in pictures
        for turned in (picture, picture.flip(1))
        for i in range(3)
    }
    squares = crops(pictures, 64, 40)
    assert squares.shape == (40, 3, 7, 7)
    drawn = {
        (each.permute(1, 2, 0) * 255).round().to(torch.uint8).flatten().numpy().tobytes()
        for each in squares
    }
    assert drawn <= every and len(drawn) > 10


def test_a_command_goes_on_where_it_stopped(trained: Path, tmp_path: Path) -> None:
    pictures = pictures_in(write(tmp_path, 0, 3, "RGB"))
    path = tmp_path / "bottlenecks.safetensors"
    shutil.copy(beside(trained / "codec.safetensors", FACTORIZED), path)
    said: list[str] = []
    before = load(path)
    train_all(FACTORIZED, pictures, [0.002, *LAMBDAS], SMALL, path, said.append)
    assert len(said) == 1 and said[0].startswith("lambda 0.002: ")
    after = load(path)
    assert list(after.models) == [0.002, *LAMBDAS]
    for lmbda in LAMBDAS:
        states = [each.models[lmbda].state_dict() for each in (before, after)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    with pytest.raises(ModelError, match="trained with other settings"):
        train_all(FACTORIZED, pictures, LAMBDAS, Settings(), path)


def test_what_is_missing_is_named_with_its_command(tmp_path: Path) -> None:
    model = tmp_path / "codec.safetensors"
    for kind, codec in by_name(tmp_path).items():
        assert missing(codec) == (
            f"{kind}: needs codec.{kind}.safetensors; run python -m "
            f"inrc_modalities.image.train_autoencoder FOLDER -m {model} --codec {kind}"
        )
        with pytest.raises(ModelError, match="no such file"):
            codec.encode(tmp_path / "a.png", 0.01)


def test_a_damaged_file_is_one_line(trained: Path, tmp_path: Path) -> None:
    whole = beside(trained / "codec.safetensors", FACTORIZED).read_bytes()
    path = beside(tmp_path / "codec.safetensors", FACTORIZED)
    flipped = bytearray(whole)
    flipped[-1000] ^= 8
    for wrong in (b"", b"nonsense", whole[:-100], bytes(flipped)):
        path.write_bytes(wrong)
        with pytest.raises(ModelError, match="not autoencoders, or damaged") as no:
            by_name(tmp_path)[FACTORIZED].encode(scene(tmp_path / "a.png", 20, 20), LAMBDAS[0])
        assert "\n" not in str(no.value)


@by_kind
def test_damaged_bytes_are_one_line(trained: Path, tmp_path: Path, kind: str) -> None:
    codec = by_name(trained)[kind]
    data = codec.encode(scene(tmp_path / "a.png", 20, 20), LAMBDAS[0])
    huge = b"\0" + 2 * b"\xff\xff\xff\xff\x0f" + data[3:]
    for wrong in (b"", b"\x09" + data[1:], data[:-1], data[:3], b"\0\0\0" + data[3:], huge):
        with pytest.raises(SignalError, match=r"b\.png: the bytes to decode are damaged") as no:
            codec.decode(wrong, tmp_path / "a.png", tmp_path / "b.png")
        assert "\n" not in str(no.value) and not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["--steps", "0"], 2, "not positive"),
        (["--lambdas", "nan"], 2, "not positive"),
        (["-m", "nowhere.safetensors"], 1, "no such model"),
    ],
)
def test_wrong_commands_are_one_line(
    trained: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, line: str
) -> None:
    fixed = [str(trained / "drawn"), "-m", str(trained / "codec.safetensors")]
    assert main([*fixed, *words]) == code
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1


def test_transparent_pictures_are_refused(trained: Path, tmp_path: Path) -> None:
    path = scene(tmp_path / "a.png", 20, 20, "RGBA")
    assert main([str(path), "-m", str(trained / "codec.safetensors")]) == 1
    assert main([str(trained / "nothing"), "-m", str(trained / "codec.safetensors")]) == 1
