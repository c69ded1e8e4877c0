"""How the display matrix of a file turns and mirrors its pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.video.clip import LAYOUTS

_ONE = 1 << 16  # 1 in the 16.16 fixed-point numbers of a matrix (ISO/IEC 14496-12, 8.3.2)
_FLAT = 1 << 30  # 1 in the 2.30 numbers of its last column
_TOLERANCE = 64  # what a computed sine or cosine may differ from -1, 0 or 1 by: 0.001
_OTHER_CHROMA = {"yuv422p": "yuv440p", "yuv440p": "yuv422p"}  # after rows become columns


@dataclass(frozen=True)
class Orientation:
    """One of the eight rotations and mirror images by right angles.

    A picture is transposed first, then its rows and its columns are reversed.
    """

    transpose: bool = False
    reverse_rows: bool = False
    reverse_columns: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Orientation":
        """The orientation in the display matrix of a frame; upright if it has no matrix.

        A pixel at (x, y) is shown at (a x + c y, b x + d y); the offsets of the matrix place the
        picture on a canvas and are ignored, as players do (ISO/IEC 14496-12, 6.2.2).

        Raises:
            SignalError: a matrix that scales, shears, projects or turns by another angle.
        """
        try:
            side_data: Any = frame.side_data  # its annotation knows motion vectors only
        except ValueError as error:  # of a kind that PyAV has no name for
            raise SignalError(
                f"pictures with metadata of an unknown kind ({error}); "
                "convert it first (ffmpeg -c:v ffv1)"
            ) from None
        if Type.DISPLAYMATRIX not in side_data:
            return cls()
        values = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.int32)
        if values.size != 9:
            raise SignalError("a display matrix that is not 3 by 3; remux the file")
        matrix = values.reshape(3, 3).astype(np.int64)
        turn = np.rint(matrix[:2, :2] / _ONE).astype(int)
        right = np.abs(matrix[:2, :2] - turn * _ONE).max() <= _TOLERANCE
        if (
            not right
            or not np.array_equal(np.abs(turn).sum(0), [1, 1])
            or not np.array_equal(np.abs(turn).sum(1), [1, 1])
            or matrix[:2, 2].any()
            or matrix[2, 2] != _FLAT
        ):
            raise SignalError(
                "its display matrix is not a rotation or mirror image by right angles; "
                "apply it to the pixels first (ffmpeg does when it converts)"
            )
        (a, b), (c, d) = turn.tolist()
        return cls(a == 0, b + d < 0, a + c < 0)

    def apply(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A plane as it is shown."""
        plane = plane.T if self.transpose else plane
        return plane[:: -1 if self.reverse_rows else 1, :: -1 if self.reverse_columns else 1]

    def layout(self, name: str) -> str:
        """The layout of a frame of this layout after `apply`."""
        return _OTHER_CHROMA.get(name, name) if self.transpose else name

    def check(self, name: str, height: int, width: int) -> None:
        """Refuse to mirror a picture whose last chroma samples stand for fewer pixels.

        After mirroring they would be the first, which no layout has.

        Raises:
            SignalError: an odd side that is to be reversed and has coarser chroma.
        """
        down = LAYOUTS[self.layout(name)].down
        sizes = (width, height) if self.transpose else (height, width)
        reversed_sides = (self.reverse_rows, self.reverse_columns)
        if any(
            side and size % coarse
            for side, size, coarse in zip(reversed_sides, sizes, down, strict=True)
        ):
            raise SignalError(
                f"{width} by {height} pixels in {name} cannot be turned or mirrored exactly; "
                "convert it to 4:4:4 chroma first (ffmpeg -pix_fmt yuv444p)"
            )
