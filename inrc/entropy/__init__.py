"""How a latent becomes bits: bottlenecks, integer tables and the range coder."""

from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.learned import LearnedBottleneck
from inrc.entropy.uniform import UniformBottleneck

__all__ = ["Bottleneck", "LearnedBottleneck", "Tables", "UniformBottleneck", "decode", "encode"]
