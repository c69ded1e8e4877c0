"""Rate and distortion of codecs on the same files, by bytes on disk and decoded files."""

from inrc.evaluation.bdrate import Delta, bd_psnr, bd_rate
from inrc.evaluation.curves import Curve, curves
from inrc.evaluation.evaluate import evaluate
from inrc.evaluation.results import Result, append, load

__all__ = ["Curve", "Delta", "Result", "append", "bd_psnr", "bd_rate", "curves", "evaluate", "load"]
