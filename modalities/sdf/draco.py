"""Draco, the codec that meshes are sent with on the web."""

from pathlib import Path
from typing import Any

import numpy as np

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.sdf.mesh import Mesh, load, save

LEVEL = 10
"""Compression level: Draco's smallest files."""


def encode(original: Path, bits: float) -> bytes:
    """A mesh file as a Draco file with so many bits per coordinate."""
    draco = _draco()
    mesh = load(original)
    data: bytes = draco.encode(
        mesh.vertices.astype(np.float32),  # all that Draco takes
        mesh.faces.astype(np.uint32),
        quantization_bits=round(bits),
        compression_level=LEVEL,
    )
    return data


def decode(data: bytes, original: Path, decoded: Path) -> None:
    """Write the mesh of a Draco file, in the format that the suffix of `decoded` names."""
    mesh = _draco().decode(data)
    faces = np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    save(Mesh(np.asarray(mesh.points, np.float64).reshape(-1, 3), faces), decoded)


def _draco() -> Any:
    try:
        import DracoPy
    except ImportError:
        raise SignalError("Draco needs the package DracoPy: pip install 'inrc[mesh]'") from None
    return DracoPy


BASELINE = Baseline(
    name="Draco",
    unit="bits",
    qualities=(3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0),
    encode=encode,
    decode=decode,
    needs="DracoPy",
)
