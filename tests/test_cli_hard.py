"""Commands under hard conditions: names, disks, memory, and archives that nobody should trust."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from coin_files import picture
from PIL import Image as Pillow

from inrc import cli, codec
from inrc.container import MAGIC, Item, block, peek, unpack_archive
from inrc.methods import COIN
from inrc.model import Model
from inrc.varint import write_varint
from inrc_modalities.audio import Audio
from inrc_modalities.image import Image
from inrc_modalities.mri import MRI
from inrc_modalities.nerf import NeRF
from inrc_modalities.video import Video

FIT = ["--method", "coin", "--size", "1x4", "--steps", "4"]


def coin(modality: Any, *paths: Path) -> bytes:
    """An archive that needs no model."""
    model = Model.untrained(COIN(width=4, depth=1, steps=4), modality)
    return codec.compress(list(paths), model, 0, steps=4).data


def edited(
    data: bytes,
    edit: Callable[[list[Any]], Any] = lambda rows: None,
    card: Callable[[list[Any]], Any] = lambda row: None,
) -> bytes:
    """The archive with items [name, whole meta, parts] and its card edited, the checksum right."""
    seen = peek(data)
    assert seen.card is not None
    rows = [[i.name, dict(i.meta), i.parts] for i in unpack_archive(data, Item("", {}, 1)).items]
    edit(rows)
    row: list[Any] = [seen.card.modality, dict(seen.card.modality_settings)]
    row += [seen.card.method, dict(seen.card.method_settings)]
    card(row)

    def written(value: Any) -> bytes:
        raw = block.deflated(msgpack.packb(value, unicode_errors="surrogatepass"))
        return write_varint(len(raw)) + raw

    head = MAGIC + bytes([seen.version]) + bytes(6) + bytes([data[11]]) + written(row)
    body = head + write_varint(len(rows)) + written(rows) + seen.payload
    return body + zlib.crc32(body).to_bytes(4, "little")


def run(*argv: str | Path) -> int:
    return cli.main([str(each) for each in argv])


def test_a_name_that_cannot_be_written_is_told_before_the_first_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for number, path in enumerate(paths):
        picture(path, phase=number)
    file = tmp_path / "f.inrc"
    for name, said in (
        ("\ud800.png", "not a valid file name"),
        ("x" * 300 + ".png", "name of 304 bytes"),
    ):

        def renamed(rows: list[Any], name: str = name) -> None:
            rows[1][0] = name

        file.write_bytes(edited(coin(Image(), *paths), renamed))
        assert run("decompress", file, "-o", tmp_path / "out") == 1
        assert said in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_names_of_255_bytes_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["x" * 251 + ".png", "y.png", "B.png", "b.png"]
    for name in names:
        picture(folder / name)
    assert run("compress", folder, *FIT, "-o", tmp_path / "f.inrc", "--quiet") == 0
    assert run("decompress", tmp_path / "f.inrc", "-o", tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)


def test_a_link_to_another_file_is_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    picture(folder / "a.png")
    (folder / "z.png").symlink_to("a.png")
    assert (
        run("compress", folder, folder / "a.png", *FIT, "-o", tmp_path / "f.inrc", "--quiet") == 0
    )
    names = [entry.name for entry in peek((tmp_path / "f.inrc").read_bytes()).entries]
    assert names == ["a.png", "z.png"]


def test_a_backslash_leaves_one_file_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b\\c.png", "d.png"):
        picture(folder / name)
    assert run("compress", folder, *FIT, "-o", tmp_path / "f.inrc", "--quiet") == 1
    assert "b\\c.png: its name has a backslash" in capsys.readouterr().err
    assert [e.name for e in peek((tmp_path / "f.inrc").read_bytes()).entries] == ["a.png", "d.png"]
    # alone it has no name in the archive
    assert run("compress", folder / "b\\c.png", *FIT, "-o", tmp_path / "g.inrc", "--quiet") == 0


def test_a_pipe_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    assert run("compress", tmp_path / "a.png", *FIT, "-o", tmp_path / "pipe", "-f") == 1
    assert "pipe: is a device or a pipe; name a file" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("suffix", [".mov", ".xyz", ""])
def test_a_format_that_cannot_be_written_is_refused_before_decoding(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [clip] = Video().sample(tmp_path, 0, 1)
    (tmp_path / "f.inrc").write_bytes(coin(Video(), clip))
    monkeypatch.setattr(codec, "decompress", lambda *_: pytest.fail("decodes"))
    out = tmp_path / f"x{suffix}"
    assert run("decompress", tmp_path / "f.inrc", "-o", out) == 1
    written = ", ".join(Video.suffixes)
    line = f"inrc: {out}: cannot write {suffix!r}; use one of {written}\n"
    assert capsys.readouterr().err == line and ".mp4" in written


def test_an_archive_is_kept_where_its_quality_cannot_be_measured(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype("uint8")
    Pillow.fromarray(values).save(tmp_path / "a.png")
    out = tmp_path / "f.inrc"
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
        sys.stderr = (tmp_path / "said").open("w")
        code = run("compress", tmp_path / "a.png", *FIT, "-o", out)
        sys.stderr.close()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert "is written, but its quality was not measured" in (tmp_path / "said").read_text()
    assert run("verify", out) == 0


@pytest.mark.parametrize("value", [float("inf"), 1e308, 2.5, True, 2**62, -1, 0, "8", None, []])
def test_settings_of_a_card_are_checked(
    tmp_path: Path, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    data = edited(
        coin(Image(patch=8), tmp_path / "a.png"), card=lambda row: row[1].update(patch=value)
    )
    (tmp_path / "f.inrc").write_bytes(data)
    assert run("decompress", tmp_path / "f.inrc", "-o", tmp_path / "o.png") == 1
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "o.png").exists()


@pytest.mark.parametrize(
    ("modality", "settings", "meta"),
    [
        (Image(patch=8), {"patch": 1 << 13}, {}),
        (Image(patch=8), {}, {"shape": [9000, 9000]}),
        (Audio(), {"patch": 1 << 40}, {}),
        (Audio(), {}, {"frames": 1 << 31}),
        (MRI(), {"patch": 1 << 12, "spacing": None}, {}),
        (Video(), {"patch": [1 << 15, 1 << 15, 1 << 15]}, {}),
        (NeRF(samples=4, rays=64), {"samples": 1 << 40}, {}),
        (NeRF(samples=4, rays=64), {"frames": 1 << 40}, {}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else str(value)[:20],
)
def test_memory_is_checked_before_it_is_taken(
    modality: Any, settings: dict, meta: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [path] = modality.sample(tmp_path, 0, 1)[:1]
    data = edited(
        coin(modality, path),
        lambda rows: rows[0][1].update(meta),
        lambda row: row[1].update(settings),
    )
    (tmp_path / "f.inrc").write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = tmp_path / f"out{modality.suffixes[0]}"
    assert run("decompress", tmp_path / "f.inrc", "-o", out, "--max-memory", "50M") == 1
    line = capsys.readouterr().err
    assert "f.inrc" in line and line.count("\n") == 1
    assert "the limit is 50 MiB" in line or "more than" in line or "parts" in line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # KiB
    assert not out.exists()


def test_networks_of_a_card_are_limited_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png")
    data = edited(
        coin(Image(), tmp_path / "a.png"), card=lambda row: row[3].update(width=4000, depth=2)
    )
    (tmp_path / "f.inrc").write_bytes(data)
    assert len(data) < 200
    for verb in ("verify", "decompress"):
        assert run(verb, tmp_path / "f.inrc", "--max-memory", "50M") == 1
        assert "building its network takes about 489 MiB" in capsys.readouterr().err


def test_a_failed_allocation_is_one_line(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    small, large = tmp_path / "small.inrc", tmp_path / "large.inrc"
    small.write_bytes(coin(Image(), tmp_path / "a.png"))
    large.write_bytes(
        edited(small.read_bytes(), lambda rows: rows[0][1].update(shape=[5000, 5000]))
    )
    program = """
import resource, sys
from pathlib import Path
from inrc import cli
cli.main(["decompress", sys.argv[1], "-o", sys.argv[1] + ".png"])  # imports what is needed
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (int(sys.argv[3]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(cli.main(["decompress", sys.argv[2], "-o", sys.argv[2] + ".png", *sys.argv[4:]]))
"""
    for more, options in (("400", []), ("300", ["--max-memory", "100G"])):
        done = subprocess.run(
            [sys.executable, "-c", program, str(small), str(large), more, *options],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert "memory" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
        assert "large.inrc" in done.stderr.splitlines()[-1]
        (tmp_path / "small.inrc.png").unlink()


def bomb(rows: Any) -> bytes:
    """A small file whose header is large."""
    raw = msgpack.packb(rows) if not isinstance(rows, bytes) else rows
    header = b"\x01" + zlib.compress(raw, 9, -15)
    body = MAGIC + b"\x01" + b"abcdef" + b"\0" + write_varint(len(rows)) + write_varint(len(header))
    body += header
    return body + zlib.crc32(body).to_bytes(4, "little")


@pytest.mark.parametrize(
    "rows",
    [
        [["a", [{"x": [[]] * 5_000_000}]]],
        [[f"{i}", [{"x": []}]] for i in range(200_000)],
        [["a" * 4000 + str(i)] for i in range(10_000)],
        [["a", [{"x": bytes(60_000_000)}]]],
    ],
    ids=["lists", "items", "names", "bytes"],
)
def test_info_is_quick_whatever_the_header_declares(tmp_path: Path, rows: Any) -> None:
    path = tmp_path / "f.inrc"
    path.write_bytes(bomb(rows))
    assert path.stat().st_size < 1 << 20
    program = """
import sys, time
from pathlib import Path
from inrc import cli
cli.main(["info", sys.argv[1]])
print(time.process_time(), Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    seconds, kib = map(float, done.stdout.splitlines()[-1].split())
    assert seconds < 1.0 and kib < 100 << 10  # 0.3 s on a free core, start of Python included
    assert f"{len(rows)} item" in done.stdout


def test_json_lists_losses_warnings_and_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png", (64, 64))
    monkeypatch.setattr(Image, "losses", lambda self, path: ["EXIF", "3 text chunks"])
    start = time.monotonic()
    argv = ["compress", tmp_path / "a.png", *FIT, "-o", tmp_path / "f.inrc", "-f"]
    assert run(*argv) == 0
    said = capsys.readouterr()
    assert f"inrc: {tmp_path / 'a.png'}: not kept: EXIF, 3 text chunks\n" in said.err
    assert run(*argv, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["losses"] == {str(tmp_path / "a.png"): ["EXIF", "3 text chunks"]}
    assert facts["lossless_bytes"] > facts["bytes"] > 0
    assert 0 < facts["seconds"] < time.monotonic() - start
    # four steps are not enough to be better than a polynomial
    assert any("the fit did not converge" in line for line in facts["warnings"])
    assert run(*argv, "--quiet") == 0
    assert "not kept" not in capsys.readouterr().err
    assert run("decompress", tmp_path / "f.inrc", "-o", tmp_path / "b.png", "--quiet") == 0
    assert capsys.readouterr().out == ""
