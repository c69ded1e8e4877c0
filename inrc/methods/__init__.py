"""The methods as rows of one table: which field, which adapter, which bottlenecks.

A method is known by its import here.
"""

from inrc.methods.basis import Basis
from inrc.methods.coin import COIN
from inrc.methods.coinpp import COINPP
from inrc.methods.combiner import COMBINER
from inrc.methods.functa import Functa
from inrc.methods.method import Method
from inrc.methods.mscn import MSCN
from inrc.methods.network import Network, Observer
from inrc.methods.vcinr import VCINR

__all__ = [
    "COIN", "COINPP", "COMBINER", "MSCN", "VCINR", "Basis", "Functa", "Method", "Network",
    "Observer",
]  # fmt: skip
