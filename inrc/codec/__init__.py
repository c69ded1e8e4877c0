"""Native files to the bytes of an archive, and back. Needs a model, but no trainer."""

from inrc.codec.decoding import Opened, open_archive
from inrc.codec.encoding import EFFORT, MAX_EFFORT, Compressed, compress, latents
from inrc.codec.growth import check_growth, error_warning
from inrc.codec.output import Report, check_output, decompress, measure

__all__ = [
    "EFFORT", "MAX_EFFORT", "Compressed", "Opened", "Report", "check_growth",
    "check_output", "compress", "decompress", "error_warning", "latents", "measure", "open_archive",
]  # fmt: skip
