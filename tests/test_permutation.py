"""Parts of a signal that share their blocks: there and back, and what a file keeps of it."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from combiner_models import trained
from hypothesis import given, settings
from hypothesis import strategies as st

from inrc import codec
from inrc.entropy import PatchPermutation, RelativeBottleneck, groups
from inrc.entropy import relative as room
from inrc.entropy.permutation import orders
from inrc.methods.network import _chunks
from inrc.model import Model
from inrc.signal import View
from inrc_modalities.image import ImageDataModule

ORDERS = "7eb113c7d5f90441998c2cc9f31363bc09c841a59590c3c4e973048952536249"
"""SHA-256 of the orders of 64 rows for 100 weights, little-endian int64. Never to be changed: files
of several parts are laid out by these."""

PARTS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def test_orders_are_the_same_for_ever() -> None:
    order = orders(64, 100)
    assert hashlib.sha256(order.astype("<i8").tobytes()).hexdigest() == ORDERS
    assert orders(5, 3).tolist() == [[1, 4, 3], [4, 1, 2], [3, 0, 4], [0, 3, 1], [2, 2, 0]]
    assert (np.sort(order, 0) == np.arange(64)[:, None]).all()
    assert np.array_equal(orders(64, 7), order[:, :7])  # a weight's own, whatever stands beside it


@given(PARTS, st.integers(1, 50))
def test_groups_hold_rows_of_one_signal_and_are_of_nearly_one_size(
    parts: list[int], most: int
) -> None:
    sizes = groups(parts, most)
    assert max(sizes) <= most and groups(sizes, most) == sizes
    edges, starts = np.cumsum(sizes), np.cumsum(parts)
    assert set(starts) <= set(edges)
    for end, rows in zip(starts, parts, strict=True):
        inside = [size for size, edge in zip(sizes, edges, strict=True) if end - rows < edge <= end]
        assert len(inside) == -(-rows // most) and max(inside) - min(inside) <= 1
    chunks = list(_chunks(sizes, max(most, 30)))
    assert [size for _, inside in chunks for size in inside] == sizes
    assert [start for start, _ in chunks] == [0, *np.cumsum([sum(c) for _, c in chunks])[:-1]]
    assert all(sum(inside) <= max(most, 30) for _, inside in chunks)


@settings(deadline=None)
@given(PARTS, st.integers(1, 50), st.integers(1, 9), st.integers(1, 3))
def test_to_slots_and_back_is_the_identity(
    parts: list[int], most: int, dims: int, times: int
) -> None:
    sizes = groups(parts, most)
    permutation = PatchPermutation(sizes, dims)
    rows = torch.arange(sum(parts) * dims * times).view(sum(parts), -1).double()
    there = permutation.apply(rows)
    assert torch.equal(permutation.invert(there), rows)
    assert torch.equal(permutation.apply(permutation.invert(rows)), rows)
    # a weight stays in its column and in its group, and goes with its mean and its rho
    assert torch.equal(there % (dims * times), rows % (dims * times))
    row = (there // (dims * times)).long().unflatten(1, (times, dims))
    assert torch.equal(row, row[:, :1].expand_as(row))
    start = 0
    for size in sizes:
        assert np.array_equal(row[start : start + size, 0] - start, orders(size, dims))
        start += size
    if max(sizes) == 1:
        assert there is rows


def test_a_gradient_goes_back_to_its_slot() -> None:
    permutation = PatchPermutation([5, 1, 3], 4)
    latent = torch.randn(9, 4).requires_grad_()
    weight = torch.randn(9, 4)
    (weight * permutation.invert(latent)).sum().backward()
    assert latent.grad is not None and torch.equal(latent.grad, permutation.apply(weight))


DECODE = """
import sys, torch
from pathlib import Path
from inrc import codec
from inrc.model import Model
from inrc.signal import View
folder, features = Path(sys.argv[1]), []
model = Model.load(folder / "codec.safetensors")
for name in ("one", "four"):
    opened = codec.open_archive((folder / f"{name}.inrc").read_bytes(), model)
    numbers = range(len(opened.archive.items))
    features += [each.features for each in opened.signals(numbers, [View()] * len(numbers))]
torch.save(features, folder / "features.pt")
"""


def pictures(folder: Path) -> list[Path]:
    """Of 16, 6, 1 and 1 parts of 16 by 16 pixels, from quiet to busy within each."""
    paths = []
    generator = np.random.default_rng(0)
    for number, (height, width) in enumerate([(64, 64), (24, 40), (16, 16), (16, 16)]):
        slope = np.linspace(0, 1, width)[None, :, None]
        noise = generator.normal(size=(height, width, 3)) * 80 * slope
        paths.append(folder / f"{number}.png")
        values = (128 + noise + 60 * slope).clip(0, 255).astype(np.uint8)
        PIL.Image.fromarray(values).save(paths[-1])
    return paths


def model_of(folder: Path, together: int, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(room, "MAX_GROUP", together)
    data = ImageDataModule(patch=16, sample_count=3, batch_size=4, sample_folder=folder / "sample",
                  val_fraction=0.34)  # fmt: skip
    return trained(data, folder)


def bottleneck(model: Model, quality: int) -> RelativeBottleneck:
    coder = model.network.bottleneck(quality)
    assert isinstance(coder, RelativeBottleneck)
    return coder


def test_files_of_several_parts_decode_elsewhere_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(tmp_path, 5, monkeypatch)
    coder = bottleneck(model, 1)
    assert coder.max_group == 5  # the model says so, not the program that reads it
    paths = pictures(tmp_path)
    here: list[torch.Tensor] = []
    for name, some in {"one": paths[:1], "four": paths}.items():
        made = codec.compress(some, model, 1)
        opened = codec.open_archive(made.data, model)
        parts = [item.parts for item in opened.archive.items]
        assert parts == [16, 6, 1, 1][: len(some)]
        assert made.payload == 2 * coder.symbols * sum(parts)
        permutation = coder.dequantize(coder.decompress(opened.archive.payload, sum(parts)))
        same = (opened.latents == permutation).all(1)
        assert same[22:].all() and not same[:22].any()
        features = [
            each.features for each in opened.signals(range(len(some)), [View()] * len(some))
        ]
        for number, whole in enumerate(features):  # an item alone, and a region of it
            alone = opened.signal(number, View()).features
            torch.testing.assert_close(alone, whole, rtol=0, atol=1e-5)
        corner = opened.signal(0, View(region=(("y", 16.0, 32.0), ("x", 32.0, 48.0)))).features
        whole = features[0].view(64, 64, 3)[16:32, 32:48]
        torch.testing.assert_close(corner.view(16, 16, 3), whole, rtol=0, atol=1e-5)
        (tmp_path / f"{name}.inrc").write_bytes(made.data)
        here += features
    subprocess.run([sys.executable, "-c", DECODE, str(tmp_path)], check=True, cwd=tmp_path)
    there = torch.load(tmp_path / "features.pt")
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))
