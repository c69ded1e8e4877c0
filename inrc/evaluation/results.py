"""Results: one codec, one setting, one file; one JSON object per line."""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from inrc.errors import SignalError

PROTOCOL_VERSION = 1
"""Version of how results are measured; results of different versions cannot be compared."""
CODEC_NAME = "inrc"
"""Name of our codecs, followed by the method."""


Key = tuple[str, float, str, str | None, str | None]


@dataclass(frozen=True)
class Result:
    """Measurements of one codec with one setting on one file.

    `bytes` is all that the decoder needs beyond the codec itself; `payload_bytes`, of our codecs
    only, is without header and checksum. `rate` is 8 * bytes / units, in bits per `unit`. Seconds
    are medians of warm runs. `learned` is the identity of the file with a baseline's parameters.
    A result with an `error` has no measurements.
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
        """The identity of the trial: equal keys are measurements of the same thing."""
        return self.codec, self.setting, self.file_id, self.model, self.learned

    def value(self, measure: str) -> float:
        """The value of one measure.

        Raises SignalError if the result does not have it.
        """
        if measure not in self.measures:
            known = ", ".join(self.measures)
            raise SignalError(f"{self.codec}: no measure {measure!r}; use {known}")
        return self.measures[measure]


def identity(path: Path) -> str:
    """Start of the SHA-256 of the content of a file.

    Raises OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def append(path: Path, rows: Iterable[Result]) -> None:
    """Append results to a file."""
    text = "".join(json.dumps(asdict(row)) + "\n" for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def load(path: Path) -> list[Result]:
    """Read results, also from a gzip file. An incomplete last line is ignored.

    Raises SignalError for a file that is missing, has other content, or follows another version of
    the protocol.
    """
    try:
        data = path.read_bytes()
        packed = data.startswith(b"\x1f\x8b")
        lines = (gzip.decompress(data) if packed else data).decode("utf-8").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SignalError(f"{path}: cannot be read as results ({error!s:.80})") from None
    whole = lines[:-1]  # the rest after the last newline is empty or incomplete
    return [_row(path, number, line) for number, line in enumerate(whole, 1) if line.strip()]


def drop_partial_line(path: Path) -> None:
    """Remove an incomplete last line, so that results can be appended.

    Raises OSError as writing does.
    """
    if path.exists():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            path.write_bytes(data[: data.rfind(b"\n") + 1])


def comparable(rows: Sequence[Result], where: str) -> list[Result]:
    """The results without errors that are up to date; they must have one modality.

    Raises SignalError if there are no such results, or several modalities.
    """
    good = [row for row in current(rows) if row.error is None]
    if not good:
        raise SignalError(f"{where}: no results without errors; evaluate again")
    kinds = sorted({row.modality for row in good})
    if len(kinds) > 1:
        raise SignalError(
            f"{where}: files of several kinds ({', '.join(kinds)}); use a file for each"
        )
    return good


def ordered(rows: Sequence[Result], measure: str) -> list[Result]:
    """Results from the worst to the best by a measure, without those where it is undefined (NaN).

    Raises SignalError if a result does not have the measure.
    """
    defined = [row for row in rows if not math.isnan(row.value(measure))]
    return sorted(defined, key=lambda row: row.value(measure))


def distinct(paths: Iterable[Path]) -> tuple[list[Path], dict[Path, Path]]:
    """Files with different content, and for every other file the first one that it equals.

    Files that cannot be read count as different.
    """
    first: dict[str, Path] = {}
    unique, copies = list[Path](), dict[Path, Path]()
    for path in paths:
        try:
            same = first.setdefault(identity(path), path)
        except OSError:
            same = path
        if same is path:
            unique.append(path)
        else:
            copies[path] = same
    return unique, copies


def current(rows: Sequence[Result]) -> list[Result]:
    """Results without those of baselines that were trained again later."""
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
        raise SignalError(f"{path}: line {number} is not a result ({error!s:.60})") from None
    if protocol != PROTOCOL_VERSION:
        raise SignalError(
            f"{path}: line {number} follows version {protocol} of the protocol, this is "
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
