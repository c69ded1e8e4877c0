"""Spectra as training data."""

from dataclasses import dataclass
from pathlib import Path

from inrc.data import SignalDataModule
from inrc_gamma.spectrum import Gamma


@dataclass(kw_only=True, eq=False)
class Spectra(SignalDataModule):
    """A folder of spectra with equally many channels.

    Args:
        nodes: points of the field in a channel.
    """

    nodes: int = 3
    sample_folder: Path = Path("runs/sample/gamma")
    sample_count: int = 40

    def build_modality(self) -> Gamma:
        """Spectra of these options."""
        return Gamma(self.nodes)
