"""How a latent becomes bits: bottlenecks, integer tables and the range coder."""

from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.candidates import Candidates
from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.either import HalfOrFixedPoint
from inrc.entropy.half import Float16Bottleneck
from inrc.entropy.learned import LearnedBottleneck
from inrc.entropy.permutation import PatchPermutation, groups
from inrc.entropy.refinement import Schedule
from inrc.entropy.relative import RelativeBottleneck
from inrc.entropy.sparse import SparseBottleneck
from inrc.entropy.uniform import UniformBottleneck
from inrc.entropy.weights import FixedPoint

__all__ = [
    "Bottleneck",
    "Candidates",
    "FixedPoint",
    "Float16Bottleneck",
    "HalfOrFixedPoint",
    "LearnedBottleneck",
    "PatchPermutation",
    "RelativeBottleneck", "Schedule",
    "SparseBottleneck",
    "Tables",
    "UniformBottleneck",
    "decode",
    "encode",
    "groups",
]  # fmt: skip
