"""Damaged and hostile archives with correct checksums.

    python tests/archive_fuzz.py --cases 1000000 --seed 1 --log fuzz.log

Every case takes a sound archive of one modality, with a model or with a card of its own, changes
its header, card, payload or bytes, seals it with the right checksum, and reads it as `inrc info`
and `inrc decompress` do. Only InrcError may come out, within seconds and the memory limit.
"""

import argparse
import random
import resource
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
import torch

from inrc import codec, registry
from inrc.cli.info import describe, printable
from inrc.container import MAGIC, VERSION, Archive, Item, block, peek, unpack_archive
from inrc.errors import InrcError
from inrc.memory import check_memory
from inrc.methods import COIN, COINPP
from inrc.model import Model
from inrc.signal import Modality, View
from inrc.varint import write_varint

MAX_MEMORY = 8 << 20
"""Bytes that reading a case may declare."""
MAX_GROWTH = 192 << 20
"""Bytes by which the process may grow over a whole run: its caches, and a case at the limit."""
MAX_SECONDS = 10.0
SETTINGS: dict[str, dict[str, Any]] = {
    "image": {"patch": 16},
    "video": {"patch": [2, 8, 8]},
    "nerf": {"samples": 4, "rays": 64, "frames": 2},
    "sdf": {"samples": 96, "resolution": 8},
}
NUMBERS = [0, 1, -1, 2, 3, 7, 8, 255, 256, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 40,
           (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63)]  # fmt: skip
FLOATS = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-300, 1e300, 1e39, float("inf"), float("-inf"), float("nan")]
TEXTS = [
    "",
    "a",
    "\0",
    "../x",
    "/etc/x",
    "\ud800",
    "x" * 300,
    "int16",
    "float32",
    "days since",
    "é",
]


@dataclass(frozen=True)
class Seed:
    """A sound archive taken apart."""

    name: str
    model: Model
    model_id: bytes
    quality: int
    card: list[Any] | None
    rows: list[Any]
    payload: bytes


@dataclass
class Outcome:
    """Counts of a run, and the cases that should not have happened."""

    cases: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    growth: int = 0


def seeds(folder: Path) -> Iterator[Seed]:
    """Archives of all installed modalities, each with a model and with a card of its own."""
    for name in registry.modalities.names():
        kind = registry.modalities.find(name)
        modality = kind(**SETTINGS.get(name, {}))
        (folder / name).mkdir()
        paths = modality.sample(folder / name, 0, 2)
        modality = modality.resolve(paths)
        own = Model.untrained(COIN(width=4, depth=1), modality)
        for model in (own, _coinpp(modality, paths[0])):
            made = codec.compress(paths, model, 0, steps=1)
            archive = unpack_archive(made.data, model.default)
            yield _apart(name, model, archive)


def _coinpp(modality: Modality, path: Path) -> Model:
    torch.manual_seed(0)
    method = COINPP(4, width=4, depth=1, bits=[3])
    network = method.build(modality.point_dim, modality.value_dim, modality)
    network.bottleneck(0).calibrate(torch.randn(32, 4), torch.eye(4), 64)
    network.bottleneck(0).tabulate(torch.randn(32, 4))
    first = modality.split(modality.read(path))
    network.eval().requires_grad_(False)
    return Model.make(network, method, modality, Item("", first.meta, first.parts), {})


def _apart(name: str, model: Model, archive: Archive) -> Seed:
    card = archive.card
    row: list[Any] | None = None
    if card is not None:
        row = [card.modality, dict(card.modality_settings), card.method, dict(card.method_settings)]
    rows = [[item.name, dict(item.meta), item.parts] for item in archive.items]
    return Seed(name, model, archive.model_id, archive.quality, row, rows, archive.payload)


def sealed(body: bytes) -> bytes:
    """The body with its checksum."""
    return body + zlib.crc32(body).to_bytes(4, "little")


def written(seed: Seed, rows: Any, card: Any, payload: bytes, draw: random.Random) -> bytes:
    """The archive of these parts, as a writer that checks nothing would write it."""

    def blob(value: Any) -> bytes:
        raw = msgpack.packb(value, unicode_errors="surrogatepass")
        raw = bytes([0]) + raw if draw.random() < 0.7 else block.deflated(raw)
        return write_varint(len(raw)) + raw

    head = MAGIC + bytes([VERSION]) + seed.model_id + bytes([seed.quality])
    head += b"" if card is None else blob(card)
    count = len(rows) if isinstance(rows, list) else 1
    return sealed(head + write_varint(count) + blob(rows) + payload)


def value(draw: random.Random) -> Any:
    """Something that a header may hold, seldom where it belongs."""
    makers: list[Callable[[], Any]] = [
        lambda: draw.choice(NUMBERS), lambda: draw.choice(FLOATS), lambda: draw.choice(TEXTS),
        lambda: None, lambda: draw.random() < 0.5, lambda: draw.randbytes(draw.randrange(40)),
        lambda: [], dict, lambda: [value(draw) for _ in range(draw.randrange(4))],
        lambda: {draw.choice(TEXTS): value(draw)},
    ]  # fmt: skip
    return draw.choice(makers)()


def changed(old: Any, draw: random.Random) -> Any:
    """The value with one change somewhere inside; the old one is not touched."""
    inside = isinstance(old, list | dict) and len(old) > 0
    if inside and draw.random() < 0.85:
        key = draw.choice(list(old) if isinstance(old, dict) else range(len(old)))
        new = dict(old) if isinstance(old, dict) else list(old)
        if draw.random() < 0.06:
            del new[key]
        elif draw.random() < 0.04 and isinstance(new, dict):
            new[draw.choice(TEXTS)] = value(draw)
        elif draw.random() < 0.04 and isinstance(new, list):
            new.append(new[key])
        else:
            new[key] = changed(old[key], draw)
        return new
    if type(old) is int and draw.random() < 0.5:
        return old + draw.choice([-2, -1, 1, 2, old, -old])
    if type(old) is float and draw.random() < 0.5:
        return old * draw.choice([-1.0, 0.5, 2.0, 1e6, 1e-6])
    if type(old) is bytes and old and draw.random() < 0.7:
        at = draw.randrange(len(old))
        return draw.choice([old[:at], old[:at] + draw.randbytes(2) + old[at + 2 :], old + old])
    return value(draw)


def case(seed: Seed, draw: random.Random) -> bytes:
    """One damaged archive."""
    rows, card, payload = seed.rows, seed.card, seed.payload
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        what = draw.random()
        if card is not None and what < 0.3:
            card = changed(card, draw)
        elif what < 0.85:
            rows = changed(rows, draw)
        else:
            payload = changed(payload, draw)
    if not isinstance(payload, bytes):
        payload = b""
    try:
        data = written(seed, rows, card, payload, draw)
    except (OverflowError, ValueError, TypeError):  # not a value of msgpack
        return case(seed, draw)
    if draw.random() < 0.15:
        body = bytearray(data[:-4])
        for _ in range(draw.choice([1, 1, 2, 8])):
            body[draw.randrange(4, len(body))] = draw.randrange(256)
        data = sealed(bytes(body))
    return data


def read(data: bytes, model: Model, folder: Path, draw: random.Random) -> str:
    """What `info` and `decompress` do, decoding and writing in some cases; how far it came.

    A network is built only for a card that is not the one of the model.
    """
    seen = peek(data, 20)
    for entry in seen.entries:
        printable(entry.name)
    seen = peek(data)
    describe(seen, len(data))
    if seen.card is not None and seen.card != model.own:
        model = Model.of(seen, 64 << 20)
    opened = codec.open_archive(data, model, MAX_MEMORY)
    if draw.random() > 0.1:
        return "opened"
    item = opened.archive.items[0]
    # a wide network takes its time
    check_memory(item.parts * model.network.field.width * 4096, MAX_MEMORY, "decoding it")
    signal = opened.signal(0, View())
    if draw.random() > 0.1:
        return "decoded"
    model.modality.write(signal, folder / f"x{model.modality.suffix(item.meta)}")
    return "written"


def run(cases: int, number: int, log: Callable[[str], None] = lambda line: None) -> Outcome:
    """Run so many cases; the same number of the seed gives the same cases."""
    torch.set_num_threads(1)
    draw = random.Random(number)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = list(seeds(folder))
        for seed in sound:  # everything is imported and warm
            data = written(seed, seed.rows, seed.card, seed.payload, draw)
            for _ in range(10):
                read(data, seed.model, folder, draw)
        start = peak()
        for at in range(cases):
            seed = draw.choice(sound)
            state = draw.getrandbits(64)
            began = time.process_time()
            try:
                end = _tried(seed, state, folder)
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                end = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
                outcome.failures.append(f"{seed.name} {state}: {end}: {error!s:.120}")
                log(outcome.failures[-1])
            seconds = time.process_time() - began
            if seconds > MAX_SECONDS:
                outcome.failures.append(f"{seed.name} {state}: {seconds:.0f} s")
                log(outcome.failures[-1])
            outcome.slowest = max(outcome.slowest, seconds)
            outcome.ends[end] += 1
            outcome.cases += 1
            if at % 1000 == 999:
                outcome.growth = peak() - start
                log(f"{outcome.cases} cases, {len(outcome.failures)} failures, "
                    f"slowest {outcome.slowest:.1f} s, grown by {outcome.growth >> 20} MiB, "
                    f"{dict(outcome.ends.most_common(6))}")  # fmt: skip
        outcome.growth = peak() - start
    if outcome.growth > MAX_GROWTH:
        outcome.failures.append(f"the process has grown by {outcome.growth >> 20} MiB")
    return outcome


def _tried(seed: Seed, state: int, folder: Path) -> str:
    draw = random.Random(state)
    try:
        return read(case(seed, draw), seed.model, folder, draw)
    except InrcError as error:
        if "\n" in str(error):
            raise ValueError(f"more than one line: {error}") from error
        return type(error).__name__


def peak() -> int:
    """Bytes that this process has had in memory at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> None:
    """Run cases and write what happens to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    args = parser.parse_args()

    def log(line: str) -> None:
        with args.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            print(line, file=file)

    log(f"seed {args.seed}, {args.cases} cases, limit {MAX_MEMORY >> 20} MiB")
    outcome = run(args.cases, args.seed, log)
    log(f"end: {outcome.cases} cases, {len(outcome.failures)} failures, slowest "
        f"{outcome.slowest:.2f} s, grown by {outcome.growth >> 20} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
