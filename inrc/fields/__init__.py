"""Neural fields: how a latent bends a shared network."""

from inrc.fields.bayesian import BayesianSiren
from inrc.fields.field import Field, Layer, affine, sine
from inrc.fields.gated import GatedSiren
from inrc.fields.shift import ShiftSiren
from inrc.fields.siren import Siren

__all__ = ["BayesianSiren", "Field", "GatedSiren", "Layer", "ShiftSiren", "Siren", "affine", "sine"]
