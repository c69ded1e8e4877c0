"""Baselines: they reach the error they say, and their bytes decode."""

import json
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks are no part of the package

from benchmarks import baselines, cifar, climate, linear, results
from inrc.cli import lightning
from inrc.errors import SignalError

SHAPE = (24, 36)


def fields(count: int, seed: int = 0) -> np.ndarray:
    """Smooth maps around 280, each a little different."""
    generator = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(0, 3, n) for n in SHAPE), indexing="ij")
    waves = np.stack([np.sin(k * x + k * k) * np.cos(k * y) for k in range(1, 7)])
    maps = np.einsum("nk,kyx->nyx", generator.normal(size=(count, 6)), waves)
    return (280 + 5 * maps + 0.05 * generator.normal(size=maps.shape)).astype(np.float32)


@pytest.mark.parametrize("codec", baselines.CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("target", [0.5, 0.05])
def test_a_match_encloses_its_target(codec: baselines.Codec, target: float) -> None:
    slices = list(fields(3))
    match = baselines.match(codec, slices, target)
    assert match.better.rmse <= target < match.worse.rmse
    assert match.worse.setting / match.better.setting < 1.002
    # not always in this order: an entropy coder's bytes jump a little
    ends = sorted([match.worse.bytes, match.better.bytes])
    assert ends[0] <= match.bytes <= ends[1]
    assert match.bits_per_value == pytest.approx(8 * match.bytes / (3 * np.prod(SHAPE)))
    # the error and the bytes are those of streams that decode
    streams = [codec.encode(field, match.better.setting) for field in slices]
    decoded = [codec.decode(data, SHAPE) for data in streams]
    assert sum(map(len, streams)) == match.better.bytes
    error = np.sqrt(np.mean((np.stack(decoded).astype(float) - np.stack(slices)) ** 2))
    assert error == pytest.approx(match.better.rmse)


def test_a_smaller_error_takes_more_bytes() -> None:
    for codec in baselines.CODECS:
        sizes = [baselines.match(codec, list(fields(2)), e).bytes for e in (1.0, 0.3, 0.1)]
        assert sizes == sorted(sizes) and sizes[0] < sizes[2]


def test_constant_fields_are_their_value() -> None:
    codec = baselines.Jpeg2000()
    data = codec.encode(np.full(SHAPE, 7.5, np.float32), 0.1)
    assert len(data) == 8
    assert np.array_equal(codec.decode(data, SHAPE), np.full(SHAPE, 7.5, np.float32))


def test_an_error_out_of_reach_is_named() -> None:
    with pytest.raises(SignalError, match="as small as 1e-09"):
        baselines.match(baselines.Jpeg2000(), list(fields(1)), 1e-9)


@pytest.mark.parametrize("step", [1.0, 1e-2, 1e-5])
def test_coded_rows_are_within_half_a_step(step: float) -> None:
    generator = np.random.default_rng(2)
    train, test = (generator.normal(size=(n, 20)).astype(np.float32) for n in (200, 15))
    exact, coded = linear.sweep(train, test, [20, 21], [0.0, step])
    assert np.allclose(exact.rows, test, atol=1e-5)  # as many components as numbers
    error = np.linalg.norm(coded.rows - test, axis=1)  # the basis is orthonormal
    assert error.max() < 0.5 * step * np.sqrt(20) + 1e-4


def test_climate_from_file_to_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.nc"
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in (("time", 12), ("height", 2), ("lat", SHAPE[0]), ("lon", SHAPE[1])):
            dataset.createDimension(name, size)
        for seed, name in enumerate(("t", "z")):
            variable = dataset.createVariable(name, "f4", ("time", "height", "lat", "lon"))
            variable[:] = fields(24, seed).reshape(12, 2, *SHAPE)
    out = tmp_path / "out.json"
    words = [str(path), "--hold", "time=10:12", "--level", "height", "--json", str(out)]
    for rows, count in (("channels", 9), ("levels", 19)):
        assert climate.main([*words, "--rows", rows, "--components", f"3,{count},99"]) == 0
        results = json.loads(out.read_text())
        assert {point["components"] for point in results["eofs"]} == {3, count}
        assert {row["codec"] for row in results["compared"][0]["ordinary"]} == {
            "jpeg2000", "zfp", "sz3",
        }  # fmt: skip
    held = np.concatenate([fields(24, 0)[20:], fields(24, 1)[20:]])
    best = min(results["eofs"], key=lambda point: point["rmse"]["t"])
    assert 0 < best["rmse"]["t"] < held.std()
    capsys.readouterr()
    assert climate.main([*words[:2], "time=40", *words[3:]]) == 1
    assert "cannot hold [40] of 12 time out" in capsys.readouterr().err


def test_eof_bytes_lie_between_the_points() -> None:
    points = [
        {"bytes": size, "rmse": {"t": error}}
        for size, error in ((10, 1.0), (40, 0.25), (30, 0.9), (100, 0.3))
    ]
    assert climate.eof_bytes(points, {"t": 2.0}) == 10
    assert climate.eof_bytes(points, {"t": 0.25}) == pytest.approx(40)
    assert np.isnan(climate.eof_bytes(points, {"t": 0.1}))


def test_small_images_from_archive_to_json_and_png(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    smooth = np.cumsum(generator.normal(size=(40, 16, 16, 3)), axis=1) * 10 + 128
    images = np.clip(smooth, 0, 255).astype(np.uint8)
    np.savez(tmp_path / "train.npz", images=images[:34])
    np.savez(tmp_path / "test.npz", images=images[34:])
    words = ["--train", str(tmp_path / "train.npz"), "--test", str(tmp_path / "test.npz")]
    out, folder = tmp_path / "out.json", tmp_path / "png"
    more = ["--json", str(out), "--unpack", str(folder), "--components", "4", "16"]
    assert cifar.main([*words, *more]) == 0
    results = json.loads(out.read_text())
    for name in cifar.CODERS:
        rows = [row for row in results["ordinary"] if row["codec"] == name]
        assert rows[0]["psnr"] < rows[-1]["psnr"] and rows[0]["bpp"] < rows[-1]["bpp"]
    four, sixteen = results["exact"]
    assert 0 < four["psnr"] < sixteen["psnr"]
    finest = [row for row in results["coded"] if row["components"] == 16][-1]
    assert finest["psnr"] == pytest.approx(sixteen["psnr"], abs=0.1)
    assert len(list((folder / "train").iterdir())) == 34
    assert np.array_equal(np.asarray(Image.open(folder / "test" / "00005.png")), images[39])


def test_psnr_rounds_and_clamps_every_image() -> None:
    original = np.full((2, 2, 2, 3), 250, np.uint8)
    decoded = np.full((2, 2, 2, 3), 250.4)
    decoded[1] = 300.0  # counts as 255
    assert cifar.psnr(original, decoded) == pytest.approx((99 + 20 * np.log10(255 / 5)) / 2)


def test_a_broken_archive_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK nothing")
    words = ["--train", str(path), "--test", str(path), "--json", str(tmp_path / "out.json")]
    assert cifar.main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", results.TASKS)
def test_a_task_trains_a_recipe_that_exists_and_parses(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = results.TASKS[name]
    words = results.training(task, tmp_path / "run", tmp_path / "sample", tmp_path, tmp_path)
    with pytest.raises(SystemExit) as ended:
        lightning([*words, "--print_config"])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert said.out and str(tmp_path / "sample") in said.out
