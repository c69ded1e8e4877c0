"""Neural fields: how a latent bends a shared network."""

from inrc.fields.bayesian import BayesianSiren
from inrc.fields.field import Field, Layer, affine, sine
from inrc.fields.gated import GatedSiren
from inrc.fields.own import PerSignalSiren
from inrc.fields.shift import ShiftSiren
from inrc.fields.siren import Siren
from inrc.fields.sparse import SparseSiren, SparseWeightSiren

__all__ = [
    "BayesianSiren", "Field", "GatedSiren", "Layer", "PerSignalSiren", "ShiftSiren", "Siren",
    "SparseSiren", "SparseWeightSiren", "affine", "sine",
]  # fmt: skip
