"""Rows of results: one codec, one setting, one file; one JSON object a line."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from inrc.errors import SignalError

PROTOCOL_VERSION = 1
"""Version of how rows are measured; results of different protocols are not compared."""


Key = tuple[str, float, str, str | None, str | None]


@dataclass(frozen=True)
class Result:
    """What one codec made of one file with one setting.

    `bytes` are all that its decoder needs beyond the codec itself; `payload_bytes`, of ours alone,
    leave out header and checksum. `rate` is 8 * bytes / units, in bits per `unit`. Seconds are
    medians of warm runs. `learned` is the identity of the file that a baseline was learned into.
    With an `error`, everything measured is missing.
    """

    codec: str
    setting: float
    setting_unit: str
    file: str
    file_id: str
    modality: str
    unit: str
    units: int = 0
    bytes: int = 0
    payload_bytes: int | None = None
    rate: float = 0.0
    measures: dict[str, float] = field(default_factory=dict)
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    model: str | None = None
    model_bytes: int | None = None
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    protocol: int = PROTOCOL_VERSION
    error: str | None = None
    learned: str | None = None

    @property
    def key(self) -> Key:
        """What must not be measured twice."""
        return self.codec, self.setting, self.file_id, self.model, self.learned


def identity(path: Path) -> str:
    """Start of the SHA-256 of a file's bytes: results follow the content, not the name.

    Raises OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def append(path: Path, rows: Iterable[Result]) -> None:
    """Add rows to a file, each of them whole."""
    text = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def load(path: Path) -> list[Result]:
    """Read rows, also packed with gzip; a last line that a killed run cut short is passed over.

    Raises SignalError for a file that is missing, holds something else, or was measured by another
    ruler.
    """
    try:
        data = path.read_bytes()
        packed = data.startswith(b"\x1f\x8b")
        lines = (gzip.decompress(data) if packed else data).decode("utf-8").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SignalError(f"{path}: cannot be read as results ({error!s:.80})") from None
    whole = lines[:-1]  # what follows the last newline is nothing, or unfinished
    return [_row(path, number, line) for number, line in enumerate(whole, 1) if line.strip()]


def mend(path: Path) -> None:
    """Cut an unfinished last line off, so that rows can be added.

    Raises OSError as writing does.
    """
    if path.exists():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            path.write_bytes(data[: data.rfind(b"\n") + 1])


def sound(rows: Sequence[Result], where: str) -> list[Result]:
    """The rows that were measured and are not outdated, which must be of one modality.

    Raises SignalError if there are none, or several modalities are mixed.
    """
    good = [row for row in current(rows) if row.error is None]
    if not good:
        raise SignalError(f"{where}: no row without an error")
    kinds = sorted({row.modality for row in good})
    if len(kinds) > 1:
        raise SignalError(f"{where}: files of several kinds ({', '.join(kinds)}); sort them")
    return good


def current(rows: Sequence[Result]) -> list[Result]:
    """Rows without those of baselines that were learned anew since: the last row says which."""
    last = {row.codec: row.learned for row in rows}
    return [row for row in rows if row.model is not None or row.learned == last[row.codec]]


def _row(path: Path, number: int, line: str) -> Result:
    known = {each.name for each in fields(Result)}
    try:
        plain: dict[str, Any] = json.loads(line)
        protocol = plain.get("protocol")
        row = Result(**{key: value for key, value in plain.items() if key in known})
        _check(row)
    except (ValueError, TypeError, AttributeError) as error:
        raise SignalError(f"{path}: line {number} is no row of results ({error!s:.60})") from None
    if protocol != PROTOCOL_VERSION:
        raise SignalError(
            f"{path}: line {number} was measured by protocol {protocol}, this is "
            f"{PROTOCOL_VERSION}; evaluate again"
        )
    return row


def _check(row: Result) -> None:
    numbers = (row.setting, row.rate, row.encode_seconds, row.decode_seconds)
    words = (row.codec, row.file, row.file_id, row.modality, row.unit)
    if (
        not all(isinstance(each, int | float) for each in (*numbers, *row.measures.values()))
        or not all(isinstance(each, str) for each in words)
        or (row.error is None and (row.bytes < 1 or row.units < 1 or "psnr" not in row.measures))
    ):
        raise ValueError("missing or impossible values")
