"""LEB128: a number in seven bits a byte, the lowest first, the high bit set on all but the last."""

MAX_BYTES = 5  # 35 bits: more than any number here may have


def write_varint(number: int) -> bytes:
    """The bytes of a number that is not negative."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number that begins at a byte, and where the next byte after it is.

    Raises ValueError for a number that has no end.
    """
    number = 0
    for i, byte in enumerate(data[at : at + MAX_BYTES]):
        number |= (byte & 127) << (7 * i)
        if byte < 128:
            return number, at + i + 1
    raise ValueError("a number without an end")
