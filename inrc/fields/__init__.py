"""Neural fields: functions of points, conditioned on a latent."""

from inrc.fields.bayesian import BayesianSiren
from inrc.fields.field import Evaluator, Field, Layer, SineLayers, affine, sine
from inrc.fields.gated import GatedSiren
from inrc.fields.own import PerSignalSiren
from inrc.fields.shift import ShiftSiren
from inrc.fields.siren import Siren
from inrc.fields.sparse import SparseSiren, SparseWeightSiren

__all__ = [
    "BayesianSiren", "Evaluator", "Field", "GatedSiren", "Layer", "PerSignalSiren", "ShiftSiren",
    "SineLayers", "Siren", "SparseSiren", "SparseWeightSiren", "affine", "sine",
]  # fmt: skip
