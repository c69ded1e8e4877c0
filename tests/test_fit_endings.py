"""How training ends: in a codec that nothing replaces, or in one line that says why not."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_fit
import torch

from inrc import cli
from inrc.cli.checkpoints import AtomicCheckpointIO, Last
from inrc.data import Batch
from inrc.errors import InrcError
from inrc.model import Model
from inrc.module import Compressor

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def fit(tmp_path: Path) -> list[str]:
    return ["fit", "--config", str(tiny_fit.recipe(tmp_path))]


def failure(words: list[str], capsys: Capture) -> tuple[int, str]:
    """Exit code and the one line on stderr."""
    capsys.readouterr()
    code = cli.main(words)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    return code, said


def test_a_codec_is_never_replaced(fit: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(fit) == 0
    codec = tmp_path / "run" / "codec.safetensors"
    exported = codec.read_bytes()
    assert len(Model.load(codec).card["results"]) == 2

    assert cli.main([*fit, "--trainer.fast_dev_run=true"]) == 0
    assert "trial run: no codec was exported" in capsys.readouterr().out
    assert codec.read_bytes() == exported

    code, line = failure([*fit, "--model.compress=9"], capsys)
    assert code == 1 and f"{codec}: exists already" in line and "default_root_dir" in line
    assert codec.read_bytes() == exported


def test_a_trial_run_writes_nothing(fit: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert cli.main([*fit, "--trainer.fast_dev_run=true"]) == 0
    said = capsys.readouterr().out
    assert "bits/unit" in said and "psnr" in said  # it goes as far as measuring
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("limit", "steps"), [("max_epochs=1", 60), ("max_time=00:00:00:01", 100_000)]
)
def test_a_run_that_stops_early_says_so_and_goes_on(
    limit: str, steps: int, fit: list[str], tmp_path: Path, capsys: Capture
) -> None:
    words = [*fit, f"--model.compress={steps}"]
    code, line = failure([*words, f"--trainer.{limit}"], capsys)
    assert code == 1 and "no codec was exported" in line and "--ckpt_path last" in line
    assert not (tmp_path / "run" / "codec.safetensors").exists()
    done = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"]
    assert f"training stopped at step {done} of {steps}:" in line and 0 < done < steps

    assert cli.main([*fit, f"--model.compress={done + 2}", "--ckpt_path=last"]) == 0
    assert (tmp_path / "run" / "codec.safetensors").is_file()


@pytest.mark.parametrize(("stop", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
def test_a_signal_stops_a_run_that_can_go_on(
    stop: int,
    expected: int,
    fit: list[str],
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    step = Compressor.on_train_batch_start

    def stopped(self: Compressor, batch: Batch, batch_idx: int) -> None:
        steps.append(self.global_step)
        if steps == [0, 1, 2, 3]:
            os.kill(os.getpid(), stop)
        step(self, batch, batch_idx)

    monkeypatch.setattr(Compressor, "on_train_batch_start", stopped)
    # a shell starts background jobs with SIGINT ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, line = failure(fit, capsys)
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == expected and "no codec was exported" in line
    assert cli.main([*fit, "--ckpt_path=last"]) == 0
    resumed = steps[4:]
    assert resumed[0] in (3, 4) and resumed == list(range(resumed[0], 8))


def poisoned(name: str) -> Callable[[Compressor, Any], None]:
    """Makes a number infinite before the fourth step."""

    def poison(self: Compressor, optimizer: Any) -> None:
        if self.global_step == 3:
            parameters = dict(self.network.named_parameters())
            parameter = next(p for n, p in parameters.items() if name in n and p.grad is not None)
            assert parameter.grad is not None
            parameter.grad.fill_(torch.nan)
        checked(self, optimizer)

    checked = Compressor.on_before_optimizer_step
    return poison


def test_training_that_diverges_exports_nothing(
    fit: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compressor, "on_before_optimizer_step", poisoned("bottlenecks"))
    code, line = failure(fit, capsys)
    assert code == 1 and "training diverged at step 3: a gradient is not finite" in line
    assert "model.lr" in line and not (tmp_path / "run" / "codec.safetensors").exists()


def test_a_codec_with_numbers_that_are_not_finite_is_not_written(
    fit: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(self: Compressor) -> None:
        tensors = self.network.field.state_dict()
        next(t for t in tensors.values() if t.is_floating_point()).view(-1)[0] = torch.inf

    monkeypatch.setattr(Compressor, "on_train_end", spoil)
    code, line = failure(fit, capsys)
    assert code == 1 and "training diverged at step 8: field." in line
    assert not (tmp_path / "run" / "codec.safetensors").exists()


def test_a_checkpoint_is_replaced_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": 1}, path)

    def killed(value: Any, target: Any) -> None:
        Path(target).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        AtomicCheckpointIO().save_checkpoint({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert list(path.parent.iterdir()) == [path]


def test_every_run_uses_that_writer_and_one_checkpoint(
    fit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Any] = []
    setup = Last.setup

    def seen(self: Last, trainer: Any, pl_module: Any, stage: str) -> None:
        used.append(type(trainer.strategy.checkpoint_io))
        setup(self, trainer, pl_module, stage)

    monkeypatch.setattr(Last, "setup", seen)
    assert cli.main([*fit, "--trainer.fast_dev_run=true"]) == 0
    assert used == [AtomicCheckpointIO]


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint"])
def test_a_bad_checkpoint_is_refused_before_any_work(
    content: bytes | None, fit: list[str], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "a.ckpt"
    if content is not None:
        path.write_bytes(content)
    code, line = failure([*fit, f"--ckpt_path={path}"], capsys)
    assert code == 1 and str(path) in line


def test_a_checkpoint_of_another_configuration_is_refused(
    fit: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert cli.main([*fit, "--model.compress=2"]) == 0
    last = tmp_path / "run" / "last.ckpt"
    words = [*fit, f"--ckpt_path={last}", f"--trainer.default_root_dir={tmp_path / 'other'}"]
    code, line = failure([*words, "--model.method.init_args.latent_dim=6"], capsys)
    assert code == 1 and "another configuration" in line


def test_what_a_module_exports_is_checked_for_every_caller(tmp_path: Path) -> None:
    from inrc.cli.export import check_no_codec

    (tmp_path / "codec.safetensors").write_bytes(b"")
    with pytest.raises(InrcError, match="exists already"):
        check_no_codec(tmp_path)
