"""How a latent becomes bits: bottlenecks, integer tables and the range coder."""

from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.candidates import Candidates
from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.either import Either
from inrc.entropy.half import Half
from inrc.entropy.learned import LearnedBottleneck
from inrc.entropy.relative import RelativeBottleneck
from inrc.entropy.slots import Slots, groups
from inrc.entropy.sparse import SparseBottleneck
from inrc.entropy.uniform import UniformBottleneck
from inrc.entropy.weights import FixedPoint

__all__ = [
    "Bottleneck", "Candidates", "Either", "FixedPoint", "Half", "LearnedBottleneck",
    "RelativeBottleneck", "Slots", "SparseBottleneck", "Tables", "UniformBottleneck",
    "decode", "encode", "groups",
]  # fmt: skip
