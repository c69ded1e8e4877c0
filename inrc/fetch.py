"""Files of data sets that lie elsewhere: declared, fetched when asked for, checked.

Nothing here is called unless the user said `download: true`; `find` is what a DataModule calls.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc.errors import InrcError, one_line

if TYPE_CHECKING:
    from requests import Response

TRIES = 3
"""How often in a row a connection may break without a byte more before a download ends."""
TIMEOUT = (10.0, 60.0)
"""Seconds until a connection stands, and until something comes."""
CHUNK = 1 << 16
"""Bytes that are written at once, and the most that a broken connection loses."""
FULL, PART, NO_SUCH_PART = 200, 206, 416
"""HTTP: everything comes, the rest comes, there is no rest (RFC 9110, 15)."""


@dataclass(frozen=True)
class Remote:
    """One file of a data set, and what its users must know.

    Args:
        name: of the file, here and in messages.
        url: where it is, http or https.
        licence: what one may do with it, in a few words.
        citation: whom to cite.
        sha256: of its bytes, in hexadecimal; None where nobody has published one that can be
            trusted: then what it holds must be checked by whoever reads it.
        size: in bytes, for messages; None if unknown.
    """

    name: str
    url: str
    licence: str
    citation: str
    sha256: str | None = None
    size: int | None = None


def find(remote: Remote, folder: Path, download: bool = False) -> Path:
    """The file in a folder: checked if it is there, else fetched if that was asked for.

    Raises:
        InrcError: missing and not to be fetched, damaged, or what `fetch` refuses.
    """
    path = folder / remote.name
    if not path.is_file():
        if download:
            return fetch(remote, folder)
        raise InrcError(f"{path}: not here; {_by_hand(remote, folder)}, or set download: true")
    found = _sha256(path)
    if remote.sha256 is not None and found != remote.sha256:
        raise InrcError(
            f"{path}: damaged or another file, its SHA-256 is {found[:12]}..., not "
            f"{remote.sha256[:12]}...; remove it and {_by_hand(remote, folder)}"
        )
    return path


def fetch(remote: Remote, folder: Path) -> Path:
    """Download a file to a folder, unless it is there already and whole.

    What came before a connection broke stays in `NAME.part`, and the next call asks for the rest
    only; without a checksum, nothing would tell parts of two versions apart, and the next call
    begins anew. The file gets its name when all has come and the checksum is right.

    Raises:
        InrcError: no connection, a server that refuses, another checksum, a full disk.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # the file's path and hash are no news
    part = folder / f"{remote.name}.part"
    try:
        found = pooch.retrieve(
            remote.url,
            known_hash=remote.sha256,
            fname=remote.name,
            path=folder,
            downloader=_Resuming(part, remote),
        )
    except requests.RequestException as error:
        raise InrcError(
            f"{remote.url}: cannot be downloaded ({_reason(error)}); "
            f"run this again to go on, or {_by_hand(remote, folder)}"
        ) from None
    except ValueError:  # pooch's word for another hash; it has removed what came
        raise InrcError(
            f"{remote.url}: what came is not the expected file, its SHA-256 is another; "
            f"{_by_hand(remote, folder)}"
        ) from None
    except OSError as error:
        raise InrcError(f"{folder}: {remote.name} cannot be written ({_reason(error)})") from None
    return Path(found)


@dataclass(frozen=True)
class _Resuming:
    """A downloader as pooch calls it, that goes on where the last one stopped."""

    part: Path
    remote: Remote

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        """Fetch to `part`, and move it to `output_file` when it is whole."""
        import requests

        if self.remote.sha256 is None:
            self.part.unlink(missing_ok=True)
        idle = 0
        while True:
            before = self._size()
            try:
                self._go_on(url)
                break
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                idle = idle + 1 if self._size() == before else 0
                if idle >= TRIES or self.remote.sha256 is None:
                    raise
        shutil.move(self.part, output_file)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> None:
        """Ask once for what is missing, and append what comes."""
        import requests

        start = self._size()
        # packed on the way, bytes would not be those that a range counts
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == NO_SUCH_PART and start:
                return  # it ended with the last byte; the checksum will tell
            response.raise_for_status()
            if response.status_code == FULL:
                start = 0  # this server knows no ranges
            elif not _begins_at(response, start):
                raise requests.RequestException("the server sent another part than was asked for")
            self._append(response, start)

    def _append(self, response: "Response", start: int) -> None:
        from tqdm import tqdm

        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else self.remote.size
        with (
            self.part.open("ab" if start else "wb") as file,
            tqdm(
                desc=self.remote.name, total=total, initial=start, unit="B", unit_scale=True,
                disable=None, leave=False,
            ) as bar,
        ):  # fmt: skip
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def _begins_at(response: "Response", start: int) -> bool:
    return response.status_code == PART and response.headers.get("Content-Range", "").startswith(
        f"bytes {start}-"
    )


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_hand(remote: Remote, folder: Path) -> str:
    size = "" if remote.size is None else f" ({remote.size / 1e6:.0f} MB)"
    return f"get {remote.url}{size} and put it there by hand, as {folder / remote.name}"


def _reason(error: Exception) -> str:
    """One line of a library's error, the innermost cause."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return one_line(error)[:120]
