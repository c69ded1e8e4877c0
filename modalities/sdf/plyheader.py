"""The header of a PLY file: which rows follow, and what their values are."""

from dataclasses import dataclass, field

from inrc.errors import SignalError

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20  # bytes
CORNERS = ("vertex_indices", "vertex_index")
"""Names of the list of a face's vertices."""
_MEANINGS = {
    "normals": ("nx", "ny", "nz"),
    "colours": (
        "red", "green", "blue", "alpha", "r", "g", "b", "a", "diffuse_red", "diffuse_green",
        "diffuse_blue",
    ),
    "texture coordinates": ("s", "t", "u", "v", "texture_u", "texture_v", "texcoord", "texnumber"),
}  # fmt: skip


@dataclass
class Element:
    """A kind of row: how many there are, and type and name of each value.

    `types` holds the type of a number, or those of a list's length and numbers.
    """

    name: str
    count: int
    names: list[str] = field(default_factory=list)
    types: list[tuple[str, ...]] = field(default_factory=list)

    def as_text(self) -> "Element":
        """The same rows where every number is a float64, as `_numbers` makes them."""
        return Element(self.name, self.count, self.names, [("f8",) * len(t) for t in self.types])


def parse(content: bytes) -> tuple[str, list[Element], list[str], int]:
    """Byte order (empty for text), elements, what is not kept, and where the body begins.

    Raises:
        SignalError: in one line that does not name the file.
    """
    end = content.find(b"end_header", 0, _MAX_HEADER)
    stop = content.find(b"\n", end)
    if not content.startswith(b"ply") or end < 0 or stop < 0:
        raise SignalError("not a PLY file, or truncated within its header")
    order, elements, losses = None, [], []
    for line in content[:end].decode("latin-1").split("\n")[1:]:
        words = line.split()
        try:
            if words[:1] == ["format"]:
                order = _ORDERS[words[1]]
            elif words[:1] == ["element"]:
                elements.append(Element(words[1], int(words[2])))
                if elements[-1].count < 0:
                    raise ValueError
            elif words[:2] == ["property", "list"]:
                elements[-1].types.append((_TYPES[words[2]], _TYPES[words[3]]))
                elements[-1].names.append(words[4])
            elif words[:1] == ["property"]:
                elements[-1].types.append((_TYPES[words[1]],))
                elements[-1].names.append(words[2])
            elif words[:2] == ["comment", "TextureFile"]:
                losses.append("textures")
            elif words and words[0] not in ("comment", "obj_info"):
                raise ValueError
        except (KeyError, ValueError, IndexError):
            raise SignalError(f"invalid header line {line!r:.60}; it is damaged") from None
    if order is None:
        raise SignalError("its header has no format; it is damaged")
    for element in elements:
        if len(set(element.names)) < len(element.names):
            raise SignalError(f"its {element.name} element has one property twice; it is damaged")
        losses += _losses(element)
    return order, elements, losses, stop + 1


def _losses(element: Element) -> list[str]:
    if element.name not in ("vertex", "face"):
        return [f"{element.name} elements"] if element.count else []
    own = ("x", "y", "z") if element.name == "vertex" else CORNERS
    left = [name for name in element.names if name not in own]
    losses = []
    for meaning, names in _MEANINGS.items():
        if any(name in names for name in left):
            losses.append(f"{element.name} {meaning}")
        left = [name for name in left if name not in names]
    return losses + [f"{element.name} {name}" for name in left]
