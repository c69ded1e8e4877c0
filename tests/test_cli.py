"""The command line: exit codes, one line for each failure, and no waiting for nothing."""

import errno
import json
import math
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from inrc import cli, registry
from inrc.cli import compress, decompress, info, inputs, screen
from inrc.container import Archive, Item, pack_archive
from inrc.errors import SignalError, UsageError

MODEL = bytes.fromhex("0123456789ab")
DEFAULT = Item("", {"units": "K"}, 1)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    items = (Item("a.nc", {"units": "K", "time": 1.5}, 3), Item("b.nc", {"units": "K"}, 3))
    path = tmp_path / "t2m.inrc"
    path.write_bytes(pack_archive(Archive(MODEL, 2, items, b"payload"), DEFAULT))
    return path


def fail(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Exit code and the one line on stderr of a command that prints no result."""
    try:
        code = cli.main(argv)
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


def test_info_shows_what_the_file_says(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(archive)]) == 0
    said = capsys.readouterr().out
    for fact in ("format 1", "model 0123456789ab", "quality 2", "2 items", "a.nc  3 parts", "b.nc"):
        assert fact in said
    assert cli.main(["info", "--json", str(archive)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == archive.stat().st_size
    assert facts["header_bytes"] + facts["payload_bytes"] + 4 == facts["bytes"]
    assert facts["items"] == [{"name": "a.nc", "parts": 3}, {"name": "b.nc", "parts": None}]


def test_names_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.inrc"
    item = Item("\x1b[2Jgone\nsound", DEFAULT.meta, 1)
    path.write_bytes(pack_archive(Archive(MODEL, 0, (item,), b""), DEFAULT))
    assert cli.main(["info", str(path)]) == 0
    assert "    ?[2Jgone?sound\n" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["info"], ["info", "--json"], ["verify"], ["--help"]])
def test_quick_verbs_import_nothing_heavy(archive: Path, verb: list[str]) -> None:
    code = (
        "import sys\n"
        "from inrc.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'lightning', 'rich', 'jaxtyping'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    command = [sys.executable, "-c", code, *verb, str(archive)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def test_verify_tells_sound_from_damaged(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(archive)]) == 0
    assert "intact" in capsys.readouterr().out
    data = bytearray(archive.read_bytes())
    data[-6] ^= 1
    archive.write_bytes(data)
    code, line = fail(capsys, "verify", str(archive))
    assert code == 1
    assert line == (
        f"inrc: {archive}: corrupt or truncated: its checksum does not match; get it again\n"
    )


def test_modalities_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["modalities", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["modalities"]
    [image] = [row for row in rows if row["name"] == "image"]
    assert ".png" in image["suffixes"] and image["distribution"] == "inrc"


def test_a_broken_modality_is_one_line_of_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: broken\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[inrc.modalities]\nreef = no_such_module:Reef\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.main(["modalities"]) == 0
    said = capsys.readouterr()
    assert "image" in said.out and "reef" not in said.out
    [line] = [line for line in said.err.splitlines() if "reef" in line]
    assert line.startswith("inrc: warning: modality 'reef' (no_such_module:Reef of broken 1.0)")


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        ([], 2),
        (["inflate"], 2),
        (["info"], 2),
        (["compress", "a.nc"], 2),
        (["compress", "a.nc", "-m", "m", "-q", "low"], 2),
        (["decompress", "t2m.inrc", "--scale", "0"], 2),
        (["decompress", "t2m.inrc", "--scale", "nan"], 2),
        (["decompress", "t2m.inrc", "--region", "lat=30"], 2),
        (["compress", "a.nc", "b.nc", "-m", "m"], 2),
        (["info", "no-such-file.inrc"], 1),
        (["compress", "no-such-file.nc", "-m", "m"], 1),
        (["decompress", "no-such-file.inrc"], 1),
        (["decompress", "no-such-file.inrc", "--at", "no-such-grid.nc"], 1),
    ],
)
def test_exit_codes(argv: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    got, said = fail(capsys, *argv)
    assert got == code
    assert "Traceback" not in said
    assert code == 2 or said.count("\n") == 1


def test_what_stands_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t2m.nc").write_bytes(b"native")
    (tmp_path / "t2m.inrc").write_bytes(b"old")
    code, line = fail(capsys, "compress", str(tmp_path / "t2m.nc"), "-m", "m")
    assert (code, line.endswith("t2m.inrc: exists already; use -f to overwrite it\n")) == (1, True)
    same = str(tmp_path / "t2m.inrc")
    code, line = fail(capsys, "compress", same, "-f", "-m", "m")
    assert code == 2 and "input and output" in line
    assert (tmp_path / "t2m.inrc").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ("t2m.nc", "t2m.inrc"),
        ("t1.nii.gz", "t1.inrc"),
        ("a.b.png", "a.b.inrc"),
        ("plain", "plain.inrc"),
    ],
)
def test_the_output_is_named_like_the_input(tmp_path: Path, given: str, output: str) -> None:
    assert compress.output_for([tmp_path / given], None) == tmp_path / output


def test_a_folder_becomes_one_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "v1.2").mkdir()
    assert compress.output_for([tmp_path / "v1.2"], None) == tmp_path / "v1.2.inrc"
    monkeypatch.chdir(tmp_path / "v1.2")
    assert compress.output_for([Path()], None) == tmp_path / "v1.2.inrc"


def test_what_is_decoded_is_named_like_the_archive(tmp_path: Path) -> None:
    file = tmp_path / "july.inrc"
    assert decompress.output_for(file, None, 1, ".nii.gz") == tmp_path / "july.nii.gz"
    assert decompress.output_for(file, tmp_path, 1, ".png") == tmp_path / "july.png"
    assert decompress.output_for(file, Path("x.png"), 1, ".png") == Path("x.png")
    assert decompress.output_for(file, None, 2, ".png") == tmp_path / "july"


@pytest.mark.parametrize(
    ("name", "said", "suffix"),
    [
        ("a/T1.NII.GZ", ".nii", ".nii.gz"),
        ("t1.nii", ".nii.gz", ".nii"),
        ("", ".nii", ".nii"),
        ("", ".nii.gz", ".nii.gz"),
        ("", None, ".nii.gz"),
    ],
)
def test_what_is_decoded_ends_as_the_original_did(name: str, said: str | None, suffix: str) -> None:
    meta = {} if said is None else {"suffix": said}
    assert decompress.suffix_of(Item(name, meta, 1), registry.modalities.find("mri")()) == suffix


def test_what_lies_in_a_folder_beside_signals_is_left_out(tmp_path: Path) -> None:
    names = ["b/transforms_test.json", "b/transforms_train.json", "a/transforms_val.json",
             "a/x.npz", "a/notes.txt", "c/intrinsics.txt"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scenes = [tmp_path / names[n] for n in (3, 1, 5)]
    kind = registry.modalities.find("nerf")
    assert inputs.files_in([tmp_path], kind) == scenes
    assert inputs.files_in([tmp_path / names[0]], kind) == [tmp_path / names[0]]


def test_regions_are_read() -> None:
    assert decompress.region("lat=30:60, lon=-5:1e1") == (("lat", 30.0, 60.0), ("lon", -5.0, 10.0))
    for bad in (
        "",
        "lat",
        "lat=",
        "lat=1",
        "lat=1:",
        "=1:2",
        "lat=a:b",
        "lat=1:inf",
        "a=1:2,a=1:2",
    ):
        with pytest.raises(UsageError, match="--region"):
            decompress.region(bad)


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (SignalError("t2m.nc: is no\nNetCDF file"), 1, "inrc: t2m.nc: is no NetCDF file\n"),
        (UsageError("-q 9: no"), 2, "inrc: -q 9: no\n"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "inrc: No space left on device\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a"), 1, "inrc: a: No such file\n"),
        (
            MemoryError(),
            1,
            "inrc: not enough memory; close other programs or use a larger machine\n",
        ),
        (KeyboardInterrupt(), 130, "inrc: interrupted\n"),
    ],
)
def test_a_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: BaseException,
    code: int,
    line: str,
) -> None:
    def broken(path: Path, max_entries: int | None) -> None:
        raise failure

    monkeypatch.setattr(info, "open_archive", broken)
    assert fail(capsys, "info", "x.inrc") == (code, line)
    with pytest.raises(type(failure)):
        cli.main(["--debug", "info", "x.inrc"])


def test_a_programming_error_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "open_archive", lambda path, most: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["info", "x.inrc"])


@pytest.mark.parametrize("program", [cli.main, cli.lightning])
def test_training_is_handed_on_as_it_is(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    fit = types.ModuleType("inrc.cli.fit")
    fit.run = lambda words, name: seen.append(words) or 0  # type: ignore[attr-defined]
    (tmp_path / "r.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "inrc.cli.fit", fit)
    monkeypatch.setattr(cli, "fit", fit, raising=False)
    assert program(["fit", "--config", "r.yaml", "--debug"]) == 0
    assert program(["--debug", "test", "--help"]) == 0
    assert seen == [["fit", "--config", "r.yaml"], ["test", "--help"]]


def test_lightning_trains_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["compress", "a.nc"], []):
        with pytest.raises(SystemExit) as stop:
            cli.lightning(argv)
        assert stop.value.code == 2
    assert "validate" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_failure(archive: Path) -> None:
    command = f"{sys.executable} -m inrc.cli info {archive} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_summary_says_size_rate_quality_and_time() -> None:
    facts = {
        "input": ["in/t2m.nc"],
        "bytes": 1234,
        "rate": 0.01234,
        "unit": "bits/grid point",
        "measures": {"psnr": 45.23},
        "seconds": 1.24,
    }
    assert compress.summary(facts, Path("out/t2m.inrc")) == (
        "t2m.nc → t2m.inrc  1,234 bytes  0.0123 bits/grid point  PSNR 45.2 dB  1.2 s"
    )


def test_json_knows_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say_json({"measures": [{"psnr": math.inf}, (math.nan, 1.5)], "name": "é"})
    assert capsys.readouterr().out == '{"measures": [{"psnr": null}, [null, 1.5]], "name": "é"}\n'


def test_a_bar_is_shown_on_a_terminal_after_a_while(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with screen.progress("compressing", quiet=False) as report:
        report(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(screen, "BAR_DELAY", 0.0)
    with screen.progress("compressing", quiet=False) as report:
        report(2, 2)
    said = capsys.readouterr()
    assert "compressing" in said.err and said.out == ""
    with screen.progress("compressing", quiet=True) as report:
        report(2, 2)
    assert capsys.readouterr().err == ""
