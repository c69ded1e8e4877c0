"""The smallest training run: six tones, a closed form, two quality levels, eight steps."""

from pathlib import Path

import numpy as np
import soundfile

RECIPE = """
seed_everything: 0
trainer:
  accelerator: cpu
  enable_progress_bar: false
  default_root_dir: {folder}/run
model:
  method:
    class_path: inrc.methods.Basis
    init_args:
      latent_dim: 8
      num_frequencies: 32
      basis_size: 8
      w0: 20.0
      field_hidden: 0
      lambdas: [1.0e3, 1.0e4]
      bottleneck_hidden: 0
  represent: 0
  compress: 8
  inner_observations: null
data:
  class_path: inrc_modalities.audio.AudioDataModule
  init_args:
    root: {folder}/tones
    patch: 32
"""


def recipe(folder: Path) -> Path:
    """Write the tones and the recipe; the run's folder is `run`."""
    tones = folder / "tones"
    tones.mkdir()
    for number in range(6):
        tone = 0.3 * np.sin(np.arange(4000) / (7 + number))
        soundfile.write(tones / f"{number}.wav", tone, 8000)
    path = folder / "tiny.yaml"
    path.write_text(RECIPE.format(folder=folder))
    return path
