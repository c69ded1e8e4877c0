"""The base of every DataModule: which files it takes, and what it refuses."""

from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

import inrc_modalities.audio as audio
from inrc.data import NamedDataSet, PatchDataset, SignalDataModule, read_rows
from inrc.errors import SignalError, UsageError


@dataclass(kw_only=True, eq=False)
class Tones(SignalDataModule):
    """Sounds whose bad files may be left out."""

    def build_modality(self) -> audio.Audio:
        return audio.Audio(patch=16)


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    for number in range(4):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, torch.full((40,), 0.1 * number).numpy(), 8000)
    return tmp_path


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0), ("sample_count", 0), ("workers", -1), ("seed", -1),
        ("val_fraction", 1.0), ("val_fraction", -0.1),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"data.{name}: {value}; give"):
        Tones(None, **{name: value})


@dataclass(kw_only=True, eq=False)
class Choir(NamedDataSet, Tones):
    """A data set of sounds, with a split drawn from a seed."""

    root: Path = field(kw_only=False)
    seed: int = 5
    batch_size: int = 64


def test_a_subclass_changes_a_default_and_keeps_the_range(tones: Path) -> None:
    assert (Choir(tones).seed, Choir(tones).batch_size, Tones().batch_size) == (5, 64, 16)
    for name, value in (("seed", -1), ("batch_size", 0)):
        with pytest.raises(UsageError, match=f"^data.{name}: {value}; give"):
            Choir(tones, **{name: value})


def test_a_named_data_set_offers_no_option_without_a_meaning(tones: Path) -> None:
    offered = list(signature(Choir).parameters.values())
    assert [each.name for each in offered] == ["root", "batch_size", "workers", "skip_bad", "seed"]
    assert offered[0].default is offered[0].empty  # there is no sample
    assert Choir(tones).files() == Tones(tones).files()


def test_files_are_split_in_order_of_their_names(tones: Path) -> None:
    train, val = Tones(tones, val_fraction=0.25).files()
    assert [path.name for path in train] == ["0.wav", "1.wav", "2.wav"]
    assert [path.name for path in val] == ["3.wav"]
    alone = tones / "2.wav"
    assert Tones(alone).files() == ([alone], [alone])


def test_a_second_root_is_for_validation(tones: Path) -> None:
    (tones / "deep").mkdir()
    (tones / "3.wav").rename(tones / "deep" / "b.WAV")
    (tones / "deep" / "notes.txt").write_text("no sound")
    train, val = Tones(tones, val_root=tones / "deep").files()
    assert [path.name for path in train] == ["0.wav", "1.wav", "2.wav", "b.WAV"]
    assert val == [tones / "deep" / "b.WAV"]
    with pytest.raises(UsageError, match=r"^data\.val_root: needs data\.root; give both$"):
        Tones(None, val_root=tones)


@pytest.mark.parametrize(
    ("name", "says"),
    [("empty", "no audio files here; give a folder with .wav"), ("no", "no such file or folder")],
)
def test_nothing_to_read_is_one_line(name: str, says: str, tones: Path) -> None:
    (tones / "empty").mkdir()
    for data in (Tones(tones / name), Tones(tones, val_root=tones / name)):
        with pytest.raises(SignalError, match=f"{tones / name}: {says}"):
            data.files()


def test_bad_files_are_left_out_if_asked(tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("1.wav", "3.wav"):
        damage(tones / name)
    with pytest.raises(SignalError, match=r"1\.wav"):
        Tones(tones, val_fraction=0.25).setup("fit")
    data = Tones(tones, val_fraction=0.25, skip_bad=True)
    data.setup("fit")
    assert [path.name for path in data.train_paths] == ["0.wav", "2.wav"]
    assert data.val_paths == data.train_paths  # the only one kept for validation is bad
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(".wav")[0] for line in lines] == [
        f"skipped {tones / name}" for name in "13"
    ]
    assert data.train_rows is not None and len(data.train_rows) == 2 * 3  # of 40 samples, 3 patches
    for number in range(4):
        damage(tones / f"{number}.wav")
    with pytest.raises(SignalError, match="none of 4 files can be read"):
        Tones(tones, skip_bad=True).setup("fit")


def test_files_of_other_sizes_are_named(tones: Path) -> None:
    class Whole(audio.Audio):
        def split(self, signal: Any) -> Any:
            return signal

    soundfile.write(tones / "2.wav", torch.zeros(30).numpy(), 8000)
    paths = [tones / f"{number}.wav" for number in range(4)]
    with pytest.raises(SignalError, match=r"2\.wav: 30 observations x 1 .*/0\.wav has 40"):
        read_rows(Whole(), paths)


def test_a_batch_is_not_larger_than_what_a_process_has(tones: Path) -> None:
    data = Tones(tones, batch_size=100)
    data.setup("fit")
    assert data.train_rows is not None
    (batch,) = list(data.train_dataloader())
    assert batch.features.shape[0] == len(data.train_rows)
    data.trainer = type("Two", (), {"world_size": 2})()  # a share of 4 or 5 of 9 rows
    assert data.train_dataloader().batch_size == len(data.train_rows) // 2


def test_rows_are_handed_out_by_number() -> None:
    rows = PatchDataset(torch.zeros(1, 4, 1), torch.arange(12.0).reshape(3, 4, 1))
    batch = rows.__getitems__([2, 0])
    assert batch.rows.tolist() == [2, 0] and batch.queries.shape == (1, 4, 1)
    assert torch.equal(batch.features, rows.features[[2, 0]])
    portions = [features for _, features, _ in rows.portions(2)]
    assert [len(part) for part in portions] == [2, 1]
    assert torch.equal(torch.cat(portions), rows.features)
