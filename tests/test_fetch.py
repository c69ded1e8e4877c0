"""Declared files are fetched, resumed and checked; against a server that misbehaves."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inrc import fetch as room
from inrc.errors import InrcError
from inrc.fetch import Remote, fetch, find

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several reads


@dataclass
class Server:
    """Serves CONTENT; what it does wrong is told by its attributes."""

    content: bytes = CONTENT
    cut: list[int] = field(default_factory=list)
    """So many bytes come in the next answers before the connection is closed."""
    status: int = 200
    ranges: bool = True
    lies: bool = False
    """Says that the range begins where it does not."""
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    served: Server

    def do_GET(self) -> None:
        server, wanted = self.served, self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            said = 0 if server.lies else start
            self.send_header("Content-Range", f"bytes {said}-/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        stop = start + server.cut.pop(0) if server.cut else None
        self.wfile.write(server.content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    handler = type("Mine", (Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        served.url = f"http://127.0.0.1:{web.server_port}/data.bin"
        yield served
        web.shutdown()
        thread.join()


def remote(server: Server, content: bytes = CONTENT) -> Remote:
    digest = hashlib.sha256(content).hexdigest()
    return Remote("data.bin", server.url, "free", "somebody 2000", digest, len(content))


def test_a_file_comes_whole_and_once(server: Server, tmp_path: Path) -> None:
    path = fetch(remote(server), tmp_path / "new")
    assert path == tmp_path / "new" / "data.bin" and path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == ["data.bin"]
    assert fetch(remote(server), tmp_path / "new") == path
    assert find(remote(server), tmp_path / "new") == path
    assert server.asked == [None]


def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000, 200_000]
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, *(f"bytes={n * room.CHUNK}-" for n in (4, 7))]


def test_a_part_of_yesterday_is_continued(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000] + [0] * room.TRIES
    with pytest.raises(
        InrcError, match=r"connection broke|no connection.*run this again to continue"
    ) as no:
        fetch(remote(server), tmp_path)
    assert "\n" not in str(no.value)
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin.part"]
    assert (tmp_path / "data.bin.part").read_bytes() == CONTENT[: 4 * room.CHUNK]
    server.asked.clear()
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={4 * room.CHUNK}-"]
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


def test_a_part_may_be_all(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [f"bytes={len(CONTENT)}-"]


def test_without_ranges_it_begins_anew(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT


def test_without_a_checksum_nothing_is_glued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"of another version")
    unknown = replace(remote(server), sha256=None)
    server.cut = [1000]
    with pytest.raises(InrcError, match="cannot be downloaded"):
        fetch(unknown, tmp_path)
    assert fetch(unknown, tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, None]


def test_another_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[::-1]
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(InrcError, match="not the expected file"):
        fetch(remote(server), tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "data.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(InrcError, match=r"data\.bin: corrupt or another file"):
        find(remote(server), tmp_path, download=True)
    server.content, server.lies = CONTENT, True
    (tmp_path / "data.bin").unlink()
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(InrcError, match="another range than requested"):
        fetch(remote(server), tmp_path)


@pytest.mark.parametrize(("status", "said"), [(404, "404 Not Found"), (403, "403 Forbidden")])
def test_a_refusal_says_what_to_do(server: Server, tmp_path: Path, status: int, said: str) -> None:
    server.status = status
    with pytest.raises(InrcError, match=said) as refusal:
        fetch(remote(server), tmp_path)
    line = str(refusal.value)
    assert f"download {server.url} (1 MB) yourself and save it as" in line
    assert line.endswith(str(tmp_path / "data.bin")) and "\n" not in line
    assert server.asked == [None]  # it meant it


def test_offline_is_one_line(tmp_path: Path) -> None:
    nowhere = Remote("a.zip", "http://127.0.0.1:1/a.zip", "free", "nobody", "0" * 64)
    with pytest.raises(InrcError, match=r"\(no connection\).*yourself and save it as .*a\.zip$"):
        fetch(nowhere, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_fetched_unasked(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InrcError, match=r"is missing; download http.* or set download: true"):
        find(remote(server), tmp_path)
    assert server.asked == []
    assert find(remote(server), tmp_path, download=True).read_bytes() == CONTENT


def test_a_folder_that_cannot_be(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InrcError, match="cannot be written"):
        fetch(remote(server), tmp_path / "file")
