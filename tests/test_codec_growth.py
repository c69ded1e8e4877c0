"""No archive grows in silence: lossless sizes, training rates, and fits that failed."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from coin_files import picture
from PIL import Image as Pillow

import inrc
from inrc import cli, codec
from inrc.codec.growth import check_growth, error_warning
from inrc.errors import SignalError
from inrc.lossless import MAX_VALUES, deflated_size
from inrc.methods import COIN
from inrc.model import Expected, Model
from inrc_modalities.image import Image


def test_a_lossless_coding_takes_the_entropy_of_the_values() -> None:
    g = torch.Generator().manual_seed(0)
    bytes_ = torch.randint(0, 256, (1, 20_000, 1), generator=g) / 255.0
    assert 20_000 < deflated_size(bytes_) < 21_500  # and 1,024 of the table
    words = torch.randint(0, 65536, (1, 100_000, 1), generator=g) / 65535.0
    assert 2 * 100_000 < deflated_size(words) < 2 * 100_000 + 4 * 65536 + 2_000
    floats = torch.rand(2, 50_000, 1, generator=g) + torch.rand(2, 50_000, 1, generator=g) * 1e-4
    assert 0.75 * 400_000 < deflated_size(floats) < 400_200
    assert deflated_size(torch.zeros(1, 10_000, 3)) < 200
    assert deflated_size(torch.zeros(0, 5, 3)) < 20
    # of large signals, stretches stand for all
    large = torch.randint(0, 256, (1, 3 * MAX_VALUES, 1), generator=g) / 255.0
    assert deflated_size(large) == pytest.approx(3 * MAX_VALUES, rel=0.01)


def made(size: int, lossless: int, rates: tuple[float, ...] = (1.0,)) -> codec.Compressed:
    return codec.Compressed(bytes(size), size, 0, (), 100, [], [], lossless, rates)


def expecting(expected: Expected | None) -> Model:
    model = Model.untrained(COIN(width=4, depth=1), Image())
    model.card["expected"] = [] if expected is None else [asdict(expected)]
    return model


def test_more_than_a_lossless_coding_is_refused() -> None:
    model = expecting(None)
    assert check_growth(made(9_000, 9_000), model) == []
    assert check_growth(made(4_096, 1), model) == []  # a block of the disk
    assert check_growth(made(9_000, 0), model) == []  # not computed
    with pytest.raises(SignalError, match=r"x.inrc: not written: it would have 9,001 bytes.*9,000"):
        check_growth(made(9_001, 9_000), model, "x.inrc")


def test_files_unlike_the_training_data_are_named() -> None:
    model = expecting(Expected(rate=1.0, max_rate=2.5, psnr=40.0))
    for rates in ((3.7,), (0.1, 3.7)):  # 1.5 times the highest of the training
        assert check_growth(made(9_000, 10_000, rates), model) == []
    [line] = check_growth(made(9_000, 10_000, (1.0, 3.8)), model, "x.inrc")
    assert line.startswith("x.inrc: unlike the training data: 3.8 bits per pixel, where")
    few = expecting(Expected(rate=1.0, max_rate=1.0, psnr=40.0))
    assert check_growth(made(9_000, 10_000, (2.9,)), few) == []  # three times the mean
    assert len(check_growth(made(9_000, 10_000, (3.1,)), few)) == 1
    assert error_warning(30.1, 0, model, "x") == []
    assert (
        "29.0 dB, where the files of the training have 40.0 dB"
        in error_warning(29.0, 0, model, "x")[0]
    )
    assert (
        error_warning(float("inf"), 0, model, "x")
        == error_warning(1.0, 0, expecting(None), "x")
        == []
    )


def test_the_command_refuses_to_grow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    black = tmp_path / "black.png"
    Pillow.fromarray(np.zeros((64, 64, 3), np.uint8)).save(black)
    argv = ["compress", str(black), "--method", "coin", "--size", "4x48", "--steps", "2", "-q", "4"]
    assert cli.main([*argv, "-o", str(tmp_path / "x.inrc"), "-f"]) == 1
    assert "x.inrc: not written: it would have" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [black]


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_fit_that_failed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(path)
    method = COIN(width=12, depth=2, steps=300)
    good = codec.compress([path], Model.untrained(method, Image()), 3)
    assert good.warnings == []
    # rates at which a run diverges, and a run that ends before it has begun
    for bad in (replace(method, lr=30.0, steps=40, patience=100), replace(method, steps=1)):
        failed = codec.compress([path], Model.untrained(bad, Image()), 3)
        [line] = failed.warnings
        assert line.startswith(f"{path}: the fit did not converge: ") and "quadratic" in line
    with pytest.warns(UserWarning, match="the fit did not converge"):
        inrc.compress(path, Model.untrained(replace(method, steps=1), Image()), 3)


def test_noise_is_no_failed_fit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype("uint8")
    Pillow.fromarray(values).save(tmp_path / "noise.png")
    model = Model.untrained(COIN(width=12, depth=2, steps=300), Image())
    assert codec.compress([tmp_path / "noise.png"], model, 3).warnings == []
