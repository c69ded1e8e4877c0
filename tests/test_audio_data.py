"""Folders of sounds and LibriSpeech as training data."""

import hashlib
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

import inrc_modalities.audio
from inrc.errors import SignalError, UsageError
from inrc_modalities.audio import Audio, AudioDataModule, LibriSpeech, librispeech, views
from inrc_modalities.audio.data import draw
from inrc_modalities.audio.formats import Header
from inrc_modalities.audio.reading import load, read_header
from inrc_modalities.audio.rows import AugmentedRows
from inrc_modalities.audio.writing import save


def steady(path: Path, level: float, frames: int = 40, rate: int = 16000) -> Path:
    """A file whose samples all say which file it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "FLAC" if path.suffix == ".flac" else "WAV"
    save(Header(frames, 1, rate, kind, "PCM_16"), [np.full((frames, 1), level)], path)
    return path


def folder(path: Path, count: int) -> Path:
    """A folder of steady files in two formats and rates, number i at level i / 64."""
    for i in range(count):
        suffix = "flac" if i % 2 else "wav"
        steady(path / f"{i % 3}" / f"{i:02d}.{suffix}", i / 64, 40 + i, 16000 + 8000 * (i % 2))
    return path


def levels(features: torch.Tensor) -> list[int]:
    """Which files rows come from."""
    return sorted({round(float(x) * 128 - 64) for x in features[:, 0, 0]})


def test_a_folder_is_split_at_random_but_always_the_same(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 20)
    data, again, other = (
        AudioDataModule(root, patch=16, val_fraction=0.3, seed=seed, batch_size=8)
        for seed in (0, 0, 1)
    )
    for each in (data, again, other):
        each.prepare_data()
        each.setup("fit")
    assert data.val_paths == again.val_paths != other.val_paths
    assert len(data.val_paths) == 6 and len(data.train_paths) == 14
    assert not set(data.val_paths) & set(data.train_paths)
    assert data.val_paths != sorted((*data.val_paths, *data.train_paths))[-6:]
    assert data.train_rows is not None and data.val_rows is not None
    assert data.train_rows.queries.shape == (1, 16, 1)
    numbers = [int(path.stem) for path in data.val_paths]
    assert levels(data.val_rows.features) == sorted(numbers)
    rows = data.train_rows
    data.setup("validate")
    assert data.train_rows is rows
    assert next(iter(data.train_dataloader())).features.shape == (8, 16, 1)
    assert data.modality.settings() == {"patch": 16, "normalise": False}


def test_a_second_folder_one_file_and_no_folder(tmp_path: Path) -> None:
    root, val = folder(tmp_path / "a", 3), folder(tmp_path / "b", 2)
    data = AudioDataModule(root, val_root=val, patch=16)
    data.setup("fit")
    assert len(data.train_paths) == 3 and len(data.val_paths) == 2
    one = AudioDataModule(steady(tmp_path / "one.wav", 0.5), patch=16)
    one.setup("fit")
    assert one.train_paths == one.val_paths == [tmp_path / "one.wav"]
    made = AudioDataModule(sample_folder=tmp_path / "s", sample_count=3)
    made.prepare_data()
    made.setup("fit")
    assert len(made.train_paths) == 2 and len(made.val_paths) == 1


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    bad = folder(tmp_path / "bad", 3) / "0" / "00.wav"
    bad.write_bytes(bad.read_bytes()[:-20])
    for rows in (None, 5):
        with pytest.raises(SignalError, match=r"00\.wav: cut short.*\Z"):
            AudioDataModule(tmp_path / "bad", rows=rows).setup("fit")
    with pytest.raises(UsageError, match=r"data\.rows: 0; give 1 or more"):
        AudioDataModule(tmp_path, rows=0)


def test_rows_are_drawn_from_everywhere_alike(tmp_path: Path) -> None:
    paths = [steady(tmp_path / f"{i}.wav", i / 64, 16 * (i + 1)) for i in range(20)]
    total = sum(range(1, 21))
    counts = torch.zeros(20)
    for seed in range(60):
        rows = draw(Audio(16), paths, 50, seed)
        assert len(rows) == 50
        files = (rows.features[:, 0, 0] * 128 - 64).round().long()
        counts += torch.bincount(files, minlength=20)
        assert (torch.bincount(files, minlength=20) <= torch.arange(1, 21)).all()  # none twice
    expected = 60 * 50 * torch.arange(1, 21) / total
    assert ((counts - expected) ** 2 / expected).sum() < 50  # chi-squared, 19 degrees: p < 2e-4
    everything = draw(Audio(16), paths, 1000, 0)
    assert len(everything) == total
    data = AudioDataModule(tmp_path, patch=16, rows=7)
    data.setup("fit")
    assert data.train_rows is not None and len(data.train_rows) == 7


# --- LibriSpeech ---------------------------------------------------------------------------------


class FakeLibriSpeech(LibriSpeech):
    """Reads small archives of the same layout."""

    address = "http://nowhere.invalid/12"


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two packed splits of 6 and 2 recordings, 0.5 to 1.2 s long."""
    root = tmp_path / "root"
    root.mkdir()
    sums = {}
    for split, count in (("train-clean-100", 6), ("test-clean", 2)):
        inside = tmp_path / "make" / split / "LibriSpeech" / split / "19" / "198"
        for i in range(count):
            steady(inside / f"19-198-{i:04d}.flac", (i + 1) / 64, 8000 + 2240 * i)
        lines = [f"19-198-{i:04d} A WORD\n" for i in range(count)]
        (inside / "19-198.trans.txt").write_text("".join(lines))
        tar = root / f"{split}.tar.gz"
        with tarfile.open(tar, "w:gz") as packed:
            packed.add(tmp_path / "make" / split / "LibriSpeech", "LibriSpeech")
        sums[f"{FakeLibriSpeech.address}/{tar.name}"] = hashlib.sha256(tar.read_bytes()).hexdigest()
    monkeypatch.setattr(FakeLibriSpeech, "sums", staticmethod(lambda: sums))
    return root


def test_librispeech_is_unpacked_cut_and_keeps_its_splits(speech: Path) -> None:
    data = FakeLibriSpeech(speech, seconds=0.75, rows=None, patch=100)
    data.prepare_data()
    data.setup("fit")
    assert [p.name for p in data.train_paths] == [f"19-198-{i:04d}.flac" for i in range(6)]
    assert [p.parent.name for p in data.val_paths] == ["test-clean-0.75s"] * 2
    assert [read_header(p).frames for p in data.train_paths] == [
        8000,
        10240,
        12000,
        12000,
        12000,
        12000,
    ]
    recording = speech / "LibriSpeech" / "train-clean-100" / "19" / "198" / "19-198-0005.flac"
    assert np.array_equal(load(data.train_paths[5])[1], load(recording)[1][:, :12000])
    assert data.train_rows is not None and data.val_rows is not None
    assert levels(data.train_rows.features) == [1, 2, 3, 4, 5, 6]
    assert levels(data.val_rows.features) == [1, 2]
    stamps = [path.stat().st_mtime_ns for path in data.val_paths]
    FakeLibriSpeech(speech, seconds=0.75).prepare_data()
    assert [path.stat().st_mtime_ns for path in data.val_paths] == stamps


def test_librispeech_whole_recordings_and_some_of_them(speech: Path) -> None:
    data = FakeLibriSpeech(speech, seconds=None, train_files=3, val_files=1, rows=20, patch=100)
    data.setup("fit")
    assert [p.name[-6] for p in data.train_paths] == ["0", "2", "4"]
    assert read_header(data.train_paths[2]).frames == 8000 + 4 * 2240
    assert len(data.val_paths) == 1 and data.train_rows is not None
    assert len(data.train_rows) == 20


def test_missing_damaged_or_unknown_librispeech_is_explained(
    speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = r"train-clean-100\.tar\.gz: .* put .* from http.* or set download: true"
    with pytest.raises(SignalError, match=missing):
        FakeLibriSpeech(speech / "elsewhere").prepare_data()
    with pytest.raises(
        SignalError, match="no split 'moon'; use one of train-clean-100, test-clean"
    ):
        FakeLibriSpeech(speech, train="moon").prepare_data()
    with pytest.raises(UsageError, match=r"data\.seconds: 0.0; give more than 0"):
        FakeLibriSpeech(speech, seconds=0.0)

    def offline(url: str, path: str, sha256: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(FakeLibriSpeech, "fetch", staticmethod(offline))
    with pytest.raises(SignalError, match=r"cannot be downloaded \(no route to host\); put"):
        FakeLibriSpeech(speech / "elsewhere", download=True).prepare_data()
    tar = speech / "test-clean.tar.gz"
    tar.write_bytes(tar.read_bytes()[:-1])
    with pytest.raises(SignalError, match=r"test-clean\.tar\.gz: damaged; its SHA-256"):
        FakeLibriSpeech(speech).prepare_data()


def test_librispeech_is_fetched_only_if_asked(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str, path: str, sha256: str) -> None:
        asked.append(url)
        Path(path).write_bytes((speech / Path(path).name).read_bytes())

    monkeypatch.setattr(FakeLibriSpeech, "fetch", staticmethod(fetch))
    FakeLibriSpeech(tmp_path / "new", download=True, rows=10).setup("fit")
    assert [url.rsplit("/", 1)[-1] for url in asked] == [
        "train-clean-100.tar.gz", "test-clean.tar.gz"
    ]  # fmt: skip
    FakeLibriSpeech(tmp_path / "new", download=True, rows=10).setup("fit")
    assert len(asked) == 2


def test_the_sums_are_those_of_the_real_archives() -> None:
    sums = LibriSpeech.sums()
    for split in ("train-clean-100", "test-clean", "dev-clean"):
        assert len(sums[f"{LibriSpeech.address}/{split}.tar.gz"]) == 64
    assert librispeech.LibriSpeech is LibriSpeech


BROKEN = "libtorchaudio.so: undefined symbol:\n torch_exception_get_what_without_backtrace"


@pytest.mark.parametrize("error", [OSError(BROKEN), ImportError("No module named 'torchaudio'")])
def test_a_broken_torchaudio_fails_librispeech_only(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(f"raise {error!r}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "inrc_modalities.audio.librispeech")
    for module in (inrc_modalities.audio.LibriSpeech, FakeLibriSpeech):
        with pytest.raises(SignalError, match="LibriSpeech: torchaudio cannot be imported") as why:
            module(speech).setup("fit")
        assert "\n" not in str(why.value) and str(error)[:20] in str(why.value)
    data = AudioDataModule(folder(tmp_path / "a", 3), patch=16)
    data.setup("fit")
    assert len(data.train_paths) == 2


def test_training_rows_are_turned_in_four_ways() -> None:
    torch.manual_seed(0)
    features = torch.rand(5, 6, 1)
    rows = AugmentedRows(views.local(6), features)
    ways = torch.stack([features, features.flip(1), 1 - features, 1 - features.flip(1)])
    queries, turned, weights = rows.select(torch.tensor([4, 1]))
    assert torch.equal(turned.unflatten(0, (4, 2)), ways[:, [4, 1]])
    assert turned.mean(0).allclose(torch.full((6, 1), 0.5)) and weights is None
    assert torch.equal(queries, -queries.flip(1))  # so that a turned row has the same queries
    seen = set()
    for _ in range(40):
        batch = rows.__getitems__([3, 0, 3])
        assert batch.rows.tolist() == [3, 0, 3]
        for number, row in zip([3, 0, 3], batch.features, strict=True):
            (way,) = [w for w in range(4) if torch.equal(ways[w, number], row)]
            seen.add((number, way))
    assert len(seen) == 8
    assert torch.equal(rows.features, features)
