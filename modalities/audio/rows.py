"""Training rows of sounds, augmented by the symmetries of all sounds."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.data import Batch, PatchDataset


class AugmentedRows(PatchDataset):
    """Patches that are as likely upside down and back to front.

    Which way a microphone is wired is chance, and the spectrum of a sound is that of its reverse.
    So the mean of all sounds is silence (else a patch of zero symbols would decode to a tone that
    repeats with every patch), and a covariance found in few patches is that of four times as many.

    Whoever trains gets every row as one of the four, anew in every step. Whoever looks for
    statistics with `select` gets all four of each row: four times the rows that were asked for.
    The local coordinates must be symmetric around 0.
    """

    def __getitems__(self, index: Sequence[int]) -> Batch:
        batch = super().__getitems__(index)
        sign, order = torch.rand(2, len(batch.features), 1, 1) < 0.5
        features = torch.where(order, batch.features.flip(1), batch.features)
        return batch._replace(features=torch.where(sign, 1.0 - features, features))

    def select(
        self, index: Int[Tensor, "R"]
    ) -> tuple[Float[Tensor, "#N M Q"], Float[Tensor, "N M C"], Tensor | None]:
        """Queries and features of some rows in all four ways."""
        queries, features, weights = super().select(index)
        both = torch.cat([features, features.flip(1)])
        return queries, torch.cat([both, 1.0 - both]), weights
