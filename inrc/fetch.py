"""Files of data sets on other machines: declared, downloaded on request, checked.

A DataModule calls `find`; nothing is downloaded unless the user sets `download: true`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc.errors import InrcError, one_line

if TYPE_CHECKING:
    from requests import Response

TRIES = 3
"""Attempts in a row that may fail without another byte before a download ends."""
TIMEOUT = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""
CHUNK = 1 << 16
"""Bytes that are written at once; a broken connection loses no more than these."""
FULL, PART, NO_SUCH_PART = 200, 206, 416
"""HTTP status: the whole file, the rest of it, no bytes after these (RFC 9110, sec. 15)."""


@dataclass(frozen=True)
class Remote:
    """One file of a data set, with its licence and citation.

    Args:
        name: of the file, in the folder and in messages.
        url: http or https.
        licence: terms of use, in a few words.
        citation: the publication to cite.
        sha256: of its bytes, in hexadecimal; None if no trustworthy one is published. The reader
            of the file then has to check its content.
        size: in bytes, for messages; None if unknown.
    """

    name: str
    url: str
    licence: str
    citation: str
    sha256: str | None = None
    size: int | None = None


def find(remote: Remote, folder: Path, download: bool = False) -> Path:
    """The file in a folder, checked; it is downloaded if it is missing and `download` is true.

    Raises:
        InrcError: the file is missing or corrupt, or the download fails.
    """
    path = folder / remote.name
    if not path.is_file():
        if download:
            return fetch(remote, folder)
        raise InrcError(f"{path}: is missing; {_by_hand(remote, folder)}, or set download: true")
    digest = _sha256(path)
    if remote.sha256 is not None and digest != remote.sha256:
        raise InrcError(
            f"{path}: corrupt or another file, its SHA-256 is {digest[:12]}..., not "
            f"{remote.sha256[:12]}...; remove it and {_by_hand(remote, folder)}"
        )
    return path


def fetch(remote: Remote, folder: Path) -> Path:
    """Download a file to a folder, unless it is there already and complete.

    If the connection breaks, the bytes stay in `NAME.part`, and the next call requests the rest.
    Without a checksum the next call starts anew, as parts of two versions could not be told apart.
    The file gets its name when it is complete and the checksum matches.

    Raises:
        InrcError: no connection, an error of the server, another checksum, or a full disk.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")  # path and hash of the file are not worth a line
    part = folder / f"{remote.name}.part"
    try:
        path = pooch.retrieve(
            remote.url,
            known_hash=remote.sha256,
            fname=remote.name,
            path=folder,
            downloader=_Resuming(part, remote),
        )
    except requests.RequestException as error:
        raise InrcError(
            f"{remote.url}: cannot be downloaded ({_reason(error)}); "
            f"run this again to continue, or {_by_hand(remote, folder)}"
        ) from None
    except ValueError:  # pooch raises it for another hash, and has removed the file
        raise InrcError(
            f"{remote.url}: is not the expected file, as its SHA-256 is another; "
            f"{_by_hand(remote, folder)}"
        ) from None
    except OSError as error:
        raise InrcError(f"{folder}: {remote.name} cannot be written ({_reason(error)})") from None
    return Path(path)


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch that continues where the last one stopped."""

    part: Path
    remote: Remote

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        """Download to `part`, and move it to `output_file` when it is complete."""
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
        """Request the missing bytes once, and append those that arrive."""
        import requests

        start = self._size()
        # a range counts bytes of the file, not those of a compressed transfer
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == NO_SUCH_PART and start:
                return  # it was complete; the checksum decides
            response.raise_for_status()
            if response.status_code == FULL:
                start = 0  # this server does not support ranges
            elif not _begins_at(response, start):
                raise requests.RequestException("the server sent another range than requested")
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
    return f"download {remote.url}{size} yourself and save it as {folder / remote.name}"


def _reason(error: Exception) -> str:
    """One line for an error of requests, by its innermost cause."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return one_line(error)[:120]
