"""A limit in bytes on what an operation may allocate, checked before it does."""

import os
import re
import resource
from contextlib import suppress
from pathlib import Path, PurePosixPath

from inrc.errors import MemoryLimitError, UsageError

SHARE = 0.75
"""Share of the free memory that an operation may take by default."""
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_CGROUPS = Path("/sys/fs/cgroup")
# where a control group's limit, use, and the use that can be reclaimed stand: version 2, version 1
_GROUP_FILES = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def parse_size(text: str) -> int:
    """Read a number of bytes such as `800M`, `1.5GiB` or `2000000`; prefixes are powers of 1024.

    Raises:
        UsageError: it is not written like that.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    size = 0 if match is None else int(float(match[1]) * (1 << _UNITS[match[2]]))
    if size < 1:
        raise UsageError(f"--max-memory {text}: is not a size; write it like 800M or 4G")
    return size


def free_memory() -> int:
    """Bytes that this process can still allocate.

    The least of the machine's free memory (`MemAvailable`), the limits of its control groups, and
    its limit of address space (`ulimit -v`).
    """
    sizes = [_available(), *_groups()]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            sizes.append(soft - pages * resource.getpagesize())
    return max(0, min(sizes))


def memory_limit(max_memory: int | None) -> int:
    """The limit to apply: `max_memory`, or by default a share of the free memory."""
    return int(SHARE * free_memory()) if max_memory is None else max_memory


def check_memory(needed: int, limit: int, what: str) -> None:
    """Compare an estimate with a limit, both in bytes.

    Raises:
        MemoryLimitError: the operation `what` needs more.
    """
    if needed > limit:
        raise MemoryLimitError(
            f"{what} takes about {format_size(needed)} of memory, and the limit is "
            f"{format_size(limit)}; raise it with --max-memory, or use a larger machine"
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that an allocation failed; torch raises a RuntimeError for that."""
    if isinstance(error, RuntimeError):
        return "DefaultCPUAllocator" in str(error) or "out of memory" in str(error)
    return isinstance(error, MemoryError)


def format_size(size: int) -> str:
    """As in 3.2 GiB."""
    number, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop(0)
    return f"{number:.3g} {units[0]}" if number < 1e6 else f"{number:.0e} {units[0]}"


def _available() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _groups() -> list[int]:
    """What the control groups of this process leave, those that have a limit."""
    with suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        rows = [line.split(":", 2) for line in lines if line.count(":") >= 2]
        folders = {_CGROUPS, _CGROUPS / "memory"}
        for _, controllers, name in rows:
            if controllers in ("", "memory"):
                root = _CGROUPS / controllers
                path = PurePosixPath(name.lstrip("/"))
                folders |= {root / path, *(root / parent for parent in path.parents)}
        sizes = [_left(folder, *files) for folder in folders for files in _GROUP_FILES]
        return [size for size in sizes if size is not None]
    return []


def _left(folder: Path, limit: str, usage: str) -> int | None:
    try:
        most = int((folder / limit).read_text())
        used = int((folder / usage).read_text())
        stat = (folder / "memory.stat").read_text().split()
        values = dict(zip(stat[::2], map(int, stat[1::2]), strict=False))
    except (OSError, ValueError):  # "max": no limit
        return None
    reclaimable = values.get("total_inactive_file", values.get("inactive_file", 0))
    return most - used + reclaimable
