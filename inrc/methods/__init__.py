"""The methods: each combines a field, an adapter and bottlenecks.

`inrc.registry` finds them by their names, as it finds those of other distributions.
"""

from inrc.methods.basis import Basis
from inrc.methods.coin import COIN
from inrc.methods.coinpp import COINPP
from inrc.methods.combiner import COMBINER
from inrc.methods.functa import Functa
from inrc.methods.method import CONTRACT, Method
from inrc.methods.metric import latent_metric
from inrc.methods.mscn import MSCN
from inrc.methods.network import Network, Observer
from inrc.methods.vcinr import VCINR

__all__ = [
    "COIN", "COINPP", "COMBINER", "CONTRACT", "MSCN", "VCINR", "Basis", "Functa", "Method",
    "Network", "Observer", "latent_metric",
]  # fmt: skip
