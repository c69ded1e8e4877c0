"""Output files appear whole or not at all; samples are drawn once; readers fail in one line."""

import errno
from pathlib import Path

import pytest

from inrc.errors import InrcError, SignalError
from inrc.files import atomic_write, explained, write_samples


@pytest.mark.parametrize("name", ["t2m.nc", "t1.nii.gz", "plain"])
def test_the_lent_name_is_the_name(tmp_path: Path, name: str) -> None:
    with atomic_write(tmp_path / name) as lent:
        assert lent.name == name
        lent.write_bytes(b"all")
        assert not (tmp_path / name).exists()
    assert (tmp_path / name).read_bytes() == b"all"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_is_written_beside_moves_too(tmp_path: Path) -> None:
    def write(lent: Path, content: bytes) -> None:
        (lent.parent / "views").mkdir()
        (lent.parent / "views" / "0.png").write_bytes(content)
        lent.write_text('{"file_path": "views/0.png"}')

    with atomic_write(tmp_path / "scene.json") as lent:
        write(lent, b"old")
    with pytest.raises(InrcError, match=r"views: exists already; use -f"):
        with atomic_write(tmp_path / "other.json") as lent:
            write(lent, b"new")
    assert (tmp_path / "views" / "0.png").read_bytes() == b"old"
    assert not (tmp_path / "other.json").exists()
    with atomic_write(tmp_path / "scene.json", overwrite=True) as lent:
        write(lent, b"new")
    assert (tmp_path / "views" / "0.png").read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scene.json", "views"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()]
)
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "t2m.nc"
    path.write_bytes(b"old")
    with pytest.raises(type(error)), atomic_write(path, overwrite=True) as lent:
        lent.write_bytes(b"half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["t2m.nc"]
    assert path.read_bytes() == b"old"


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "t2m.nc"
    path.write_bytes(b"old")
    with pytest.raises(InrcError, match=r"t2m.nc: exists already; use -f"), atomic_write(path):
        pytest.fail("nothing may be begun")
    with atomic_write(path, overwrite=True) as lent:
        lent.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InrcError, match="is a folder"), atomic_write(tmp_path):
        pytest.fail("nothing may be begun")
    with (
        pytest.raises(InrcError, match=r"its folder does not exist; create .*nowhere first"),
        atomic_write(tmp_path / "nowhere" / "x"),
    ):
        pytest.fail("nothing may be begun")


def test_samples_are_drawn_once_and_anew_with_other_settings(tmp_path: Path) -> None:
    paths = [tmp_path / "new" / f"{i}.txt" for i in range(2)]
    drawn: list[int] = []

    def save(number: int, path: Path) -> None:
        drawn.append(number)
        path.write_text(f"{number}")

    def write(version: int) -> list[Path]:
        return write_samples(tmp_path / "new" / "samples.json", paths, {"version": version}, save)

    assert write(1) == write(1) == paths and drawn == [0, 1]
    write(2)
    assert drawn == [0, 1, 0, 1]
    paths[0].unlink()
    write(2)
    assert drawn == [0, 1] * 3 and [path.read_text() for path in paths] == ["0", "1"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SignalError("empty"), "a.x: empty"),
        (SignalError("a.x: empty"), "a.x: empty"),
        (FileNotFoundError(), "a.x: no such file"),
        (ValueError("two\nlines"), "a.x: not a sound, or damaged (two lines); convert"),
    ],
)
def test_errors_of_readers_are_one_line_that_names_the_file(error: Exception, line: str) -> None:
    with pytest.raises(SignalError) as refusal, explained(Path("a.x"), "a sound"):
        raise error
    assert str(refusal.value).startswith(line)
    with pytest.raises(MemoryError), explained(Path("a.x"), "a sound"):
        raise MemoryError
