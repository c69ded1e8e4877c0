"""Files: outputs are checked first and complete at the end, errors of readers are one line."""

from inrc.files.checks import check_all_writable, check_writable
from inrc.files.reading import explained
from inrc.files.samples import write_samples
from inrc.files.writing import atomic_write, make_folder

__all__ = [
    "atomic_write",
    "check_all_writable",
    "check_writable",
    "explained",
    "make_folder",
    "write_samples",
]
