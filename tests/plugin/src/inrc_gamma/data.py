"""Spectra as training data."""

from pathlib import Path

from inrc.data import SignalDataModule
from inrc_gamma.spectrum import Gamma


class Spectra(SignalDataModule):
    """A folder of spectra with equally many channels.

    Args:
        root: folder, searched recursively, or a file; None writes a synthetic sample.
        nodes: points of the field in a channel.
        batch_size: spectra per step.
        sample_folder: where the sample is written.
        sample_count: number of files of the sample.
    """

    def __init__(
        self,
        root: Path | None = None,
        nodes: int = 3,
        batch_size: int = 16,
        sample_folder: Path = Path("runs/sample/gamma"),
        sample_count: int = 40,
    ) -> None:
        super().__init__(
            Gamma(nodes),
            root=root,
            batch_size=batch_size,
            sample_folder=sample_folder,
            sample_count=sample_count,
        )
