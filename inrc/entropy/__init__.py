"""How a latent becomes bits: bottlenecks, integer tables and the range coder."""

from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.candidates import Candidates
from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.learned import LearnedBottleneck
from inrc.entropy.relative import RelativeBottleneck
from inrc.entropy.uniform import UniformBottleneck

__all__ = [
    "Bottleneck",
    "Candidates", "LearnedBottleneck", "RelativeBottleneck", "Tables", "UniformBottleneck",
    "decode", "encode",
]  # fmt: skip
