"""Writers that meet, names that no disk takes, and what a killed run leaves."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from inrc.cli.inputs import walk
from inrc.errors import InrcError
from inrc.files import atomic_write, check_all_writable, check_writable, checks, make_folder


def test_two_writers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    with atomic_write(path, True) as a, atomic_write(path, True) as b:
        assert a != b and a.name == b.name == "x.nc"
        a.write_bytes(b"A" * 1000)
        b.write_bytes(b"B" * 500)
    assert path.read_bytes() == b"A" * 1000  # the last to end
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    with pytest.raises(InrcError, match="exists already"), atomic_write(path) as lent:
        lent.write_bytes(b"new")
        path.write_bytes(b"of another program")
    assert path.read_bytes() == b"of another program"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_of_others_is_deleted(tmp_path: Path) -> None:
    digest = "2d711642b726b044"  # whatever it is: folders with our names, but without our mark
    mine = [tmp_path / "x.png.part" / "thesis.txt", tmp_path / "views" / "mine.png"]
    for number in range(2):
        with atomic_write(tmp_path / "x.png", True) as lent:
            lent.write_text("first")
            names = lent.parent.parent.name
        mine.append(tmp_path / f"{names[:-1]}{number}" / f"thesis{digest}.txt")
    for each in mine:
        each.parent.mkdir(exist_ok=True)
        each.write_text("mine")
    with atomic_write(tmp_path / "x.png", True) as lent:
        lent.write_text("picture")
        (lent.parent / "views").mkdir()
        (lent.parent / "views" / "0.png").write_text("view")
    assert all(each.read_text() == "mine" for each in mine)
    assert (tmp_path / "views" / "0.png").read_text() == "view"


def test_what_a_killed_run_leaves_is_used_again(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from inrc.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as lent: lent.write_bytes(b'half'); os._exit(9)"
    )
    path = tmp_path / "x.nc"
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
        assert done.returncode == 9
        assert len(list(tmp_path.iterdir())) == 1  # one folder, however often it is killed
    with atomic_write(path) as lent:
        assert not list(lent.parent.iterdir())
        lent.write_bytes(b"all")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_devices_and_pipes_are_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "null"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFSOCK | 0o600)
    for target in (path, Path("/dev/null")):
        with pytest.raises(InrcError, match="null: is a device or a pipe; name a file"):
            check_writable(target, True)
        with pytest.raises(InrcError, match="is a device or a pipe"), atomic_write(target, True):
            pytest.fail("nothing may be begun")
        with pytest.raises(InrcError, match="is a device or a pipe"):
            check_all_writable([target], True)
    assert not stat.S_ISREG(path.stat().st_mode)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "data.bin").write_bytes(b"old")
    link, dangling = tmp_path / "x.png", tmp_path / "y.png"
    link.symlink_to(tmp_path / "disk" / "data.bin")
    dangling.symlink_to("disk/new.bin")
    with pytest.raises(InrcError, match="exists already"):
        check_writable(link, False)
    for path in (link, dangling):
        with atomic_write(path, path == link) as lent:
            assert lent.name == path.name and lent.parent.parent.parent == tmp_path / "disk"
            lent.write_bytes(b"new")
        assert path.is_symlink() and path.read_bytes() == b"new"
    assert sorted(p.name for p in (tmp_path / "disk").iterdir()) == ["data.bin", "new.bin"]


def test_the_longest_names_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + "x.png")
    assert len(os.fsencode(path.name)) == 255
    with atomic_write(path) as lent:
        lent.write_bytes(b"all")
    assert path.read_bytes() == b"all"
    with pytest.raises(InrcError, match="a name of 256 bytes, and the file system allows 255"):
        check_writable(path.with_name("y" + path.name), False)
    deep = tmp_path.joinpath(*["d" * 200] * 21, "x.png")
    with pytest.raises(InrcError, match="bytes is too long to write to"):
        check_all_writable([deep], False)


@pytest.mark.parametrize("name", ["\ud800.png", "a\0b"])
def test_names_that_no_file_can_have_are_told(tmp_path: Path, name: str) -> None:
    for check in (
        lambda: check_writable(tmp_path / name, False),
        lambda: check_all_writable([tmp_path / name], False),
    ):
        with pytest.raises(InrcError, match="is not a valid file name here") as caught:
            check()
        str(caught.value).encode()  # it can be printed
    # names that the system gave, not valid in its encoding, come back
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/\xff.png"))
    with atomic_write(odd) as lent:
        lent.write_bytes(b"all")
    assert os.listdir(bytes(tmp_path)) == [b"\xff.png"]


def test_all_targets_are_checked_before_any_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "old.png").write_text("old")
    (tmp_path / "folder").mkdir()
    for names, said in (
        (["a.png", "old.png"], "old.png: exists already"),
        (["a.png", "folder"], "folder: is a folder"),
        (["a.png", "file/b/c.png"], "file: is a file; name a folder"),
        (["a.png", "x" * 300], "a name of 300 bytes"),
        (["a.png", "x" * 300 + "/a"], "a name of 300 bytes"),
    ):
        with pytest.raises(InrcError, match=said):
            check_all_writable([tmp_path / name for name in names], False)
    deep = tmp_path.joinpath(*"d" * 1500)
    check_all_writable([deep / "a.png"], False)
    make_folder(deep)
    assert deep.is_dir()
    (deep / "a.png").touch()
    assert walk(tmp_path / "d") == [deep / "a.png"]
    (deep / "a.png").unlink()
    while deep != tmp_path:  # pytest would recurse
        deep.rmdir()
        deep = deep.parent


def test_case_matters_only_where_the_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [tmp_path / "new" / name for name in ("Straße.png", "STRASSE.PNG", "b.png")]
    check_all_writable(names, False)  # this disk tells them apart
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(checks, "_folds", lambda folder: True)
    with pytest.raises(InrcError, match=r"STRASSE.PNG: the file system does not tell it from Str"):
        check_all_writable(names, False)
    check_all_writable([names[0], names[2]], False)
