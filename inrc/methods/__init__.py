"""The methods: each combines a field, an adapter and bottlenecks.

Methods that are imported here can be used by their name.
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
