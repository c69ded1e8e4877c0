"""Output files: checked before any work is done, and complete or not there at all."""

from inrc.files.checks import check_all_writable, check_writable
from inrc.files.writing import atomic_write, make_folder

__all__ = ["atomic_write", "check_all_writable", "check_writable", "make_folder"]
