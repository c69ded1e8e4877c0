"""`lightning test` and `validate`: the figures of the end of training, measured again."""

from pathlib import Path

import pytest
import torch

from inrc import cli

RECIPE = Path(__file__).parent.parent / "recipes" / "image.yaml"


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str]:
    """The words after the verb, and what fit printed."""
    folder = tmp_path_factory.mktemp("tested")
    words = [
        f"--config={RECIPE}", f"--trainer.default_root_dir={folder / 'run'}",
        "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false",
        f"--data.init_args.sample_folder={folder / 'sample'}", "--data.init_args.sample_count=24",
        "--data.init_args.batch_size=4", "--model.compress=4", "--model.represent=0",
        "--model.method.init_args.latent_dim=24", "--model.method.init_args.basis_size=48",
        "--model.method.init_args.num_frequencies=64",
        "--model.method.init_args.lambdas=[100.0,1e4]",
        "--trainer.limit_val_batches=0",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("builtins.print", lambda *text, **_: said.append(" ".join(map(str, text))))
        assert cli.lightning(["fit", *words]) == 0
    return words, "\n".join(said)


def rows(said: str) -> list[list[str]]:
    """Quality level, bytes, payload, rate and measures of a printed table; not the seconds."""
    lines = [line.split() for line in said.splitlines()]
    return [line[:-1] for line in lines if len(line) > 5 and line[1].replace(",", "").isdigit()]


def test_it_prints_what_training_printed(
    typed: tuple[list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    words, at_fit = typed
    assert cli.lightning(["test", *words]) == 0
    said = capsys.readouterr().out
    assert len(rows(at_fit)) == 2
    assert rows(said) == rows(at_fit)
    assert "test files in one archive" in said and "test/psnr_q1" in said


def test_a_checkpoint_is_worth_the_same(
    typed: tuple[list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    words, at_fit = typed
    folder = Path(words[1].partition("=")[2])
    assert cli.lightning(["test", *words, f"--ckpt_path={folder / 'last.ckpt'}"]) == 0
    assert rows(capsys.readouterr().out) == rows(at_fit)


def test_a_checkpoint_is_validated_at_every_quality_level(
    typed: tuple[list[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    words, _ = typed
    words = [word for word in words if "limit_val_batches" not in word]
    folder = Path(words[1].partition("=")[2])
    assert cli.lightning(["validate", *words, f"--ckpt_path={folder / 'last.ckpt'}"]) == 0
    said = capsys.readouterr().out
    for name in ("val/psnr", "val/psnr_q0", "val/rate_q1"):
        assert name in said


def test_nothing_to_test_is_one_line(
    typed: tuple[list[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, _ = typed
    assert cli.lightning(["test", *words, f"--trainer.default_root_dir={tmp_path}"]) == 2
    assert "no codec to test" in capsys.readouterr().err
    other = "--model.method.init_args.latent_dim=12"
    assert cli.lightning(["test", *words, other]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_rates_of_the_test_are_those_of_the_archive(
    typed: tuple[list[str], str], tmp_path: Path
) -> None:
    words, at_fit = typed
    logged = [*words, "--trainer.logger=CSVLogger", f"--trainer.logger.save_dir={tmp_path}"]
    assert cli.lightning(["test", *logged]) == 0
    (csv,) = tmp_path.rglob("metrics.csv")
    names, values = (line.split(",") for line in csv.read_text().splitlines()[:2])
    logged_values = dict(zip(names, values, strict=True))
    for number, row in enumerate(rows(at_fit)):
        payload = int(row[2].replace(",", ""))
        pixels = 8 * int(row[1].replace(",", "")) / float(row[3])
        assert float(logged_values[f"test/rate_q{number}"]) * 3 == pytest.approx(
            3 * 8 * payload / pixels, rel=0.05, abs=0.01
        )
    assert torch.get_float32_matmul_precision() == "highest"
