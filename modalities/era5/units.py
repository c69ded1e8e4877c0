"""Units of measurement as NetCDF files spell them, and how to convert one into another.

The grammar is the part of UDUNITS that occurs in files: symbols joined by spaces, `.`, `*` or `/`,
each with an integer power (`m s-1`, `m s**-1`, `m/s`, `kg m^-2 s^-1`).
"""

import re
from dataclasses import dataclass

_BASE = ("kg", "m", "s", "K", "rad")
_Powers = tuple[int, ...]


def _powers(**given: int) -> _Powers:
    return tuple(given.get(base, 0) for base in _BASE)


_ONE, _MASS, _LENGTH, _TIME = _powers(), _powers(kg=1), _powers(m=1), _powers(s=1)
_TEMPERATURE, _ANGLE = _powers(K=1), _powers(rad=1)
_PRESSURE = _powers(kg=1, m=-1, s=-2)
_SPEED = _powers(m=1, s=-1)
_DEGREE = 0.017453292519943295  # pi / 180

# names: factor to the base units, powers of the base units
_TABLE: dict[str, tuple[float, _Powers]] = {
    "1 dimensionless fraction proportion": (1.0, _ONE),
    "% percent": (0.01, _ONE),
    "kg kilogram kilograms": (1.0, _MASS),
    "g gram grams": (1e-3, _MASS),
    "mg milligram milligrams": (1e-6, _MASS),
    "ug µg μg microgram micrograms": (1e-9, _MASS),
    "m metre metres meter meters gpm": (1.0, _LENGTH),
    "dm": (0.1, _LENGTH),
    "cm centimetre centimetres centimeter centimeters": (1e-2, _LENGTH),
    "mm millimetre millimetres millimeter millimeters": (1e-3, _LENGTH),
    "um µm μm micrometre micrometer micron": (1e-6, _LENGTH),
    "dam gpdm": (10.0, _LENGTH),
    "km kilometre kilometres kilometer kilometers": (1e3, _LENGTH),
    "inch inches in": (0.0254, _LENGTH),
    "ft foot feet": (0.3048, _LENGTH),
    "s sec secs second seconds": (1.0, _TIME),
    "min minute minutes": (60.0, _TIME),
    "h hr hrs hour hours": (3600.0, _TIME),
    "d day days": (86400.0, _TIME),
    "K kelvin kelvins degK": (1.0, _TEMPERATURE),
    "degC celsius C °C": (1.0, _TEMPERATURE),
    "degF fahrenheit °F": (5 / 9, _TEMPERATURE),
    "rad radian radians": (1.0, _ANGLE),
    "degree degrees deg °": (_DEGREE, _ANGLE),
    "Pa pascal pascals": (1.0, _PRESSURE),
    "hPa hectopascal hectopascals mbar mb millibar millibars": (1e2, _PRESSURE),
    "kPa kilopascal kilopascals": (1e3, _PRESSURE),
    "dbar decibar": (1e4, _PRESSURE),
    "bar bars": (1e5, _PRESSURE),
    "atm atmosphere": (101325.0, _PRESSURE),
    "kt kts kn knot knots": (1852 / 3600, _SPEED),
    "kph kmh": (1 / 3.6, _SPEED),
    "mph": (0.44704, _SPEED),
    "N newton newtons": (1.0, _powers(kg=1, m=1, s=-2)),
    "J joule joules": (1.0, _powers(kg=1, m=2, s=-2)),
    "kJ": (1e3, _powers(kg=1, m=2, s=-2)),
    "MJ": (1e6, _powers(kg=1, m=2, s=-2)),
    "W watt watts": (1.0, _powers(kg=1, m=2, s=-3)),
    "kW": (1e3, _powers(kg=1, m=2, s=-3)),
}
_SYMBOLS = {name: entry for names, entry in _TABLE.items() for name in names.split()}
_WORDS = {name.lower(): entry for name, entry in _SYMBOLS.items() if len(name) > 1}
_OFFSETS = {
    **dict.fromkeys("degc celsius c °c".split(), 273.15),
    **dict.fromkeys("degf fahrenheit °f".split(), 459.67 * 5 / 9),
}
_WATER = tuple(a - 3 * b for a, b in zip(_MASS, _LENGTH, strict=True))
"""Powers of a density: 1 kg m-2 of water is 1 mm of it, the convention of precipitation fields."""
_WATER_DENSITY = 1000.0  # kg m-3
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PHRASES = (
    (r"\bdeg(?:ree)?s?[ _]*(?:c|celsius|centigrade)\b", "degC"),
    (r"\bdeg(?:ree)?s?[ _]*(?:f|fahrenheit)\b", "degF"),
    (r"\bdeg(?:ree)?s?[ _]*(?:k|kelvin)\b", "K"),
    (r"\bof (?:liquid )?water(?: equivalent)?\b", ""),  # ERA5: m of water equivalent
    (r"\bgeopotential met(?:er|re)s?\b", "m"),
    (r"^\(0 ?- ?1\)$|^~$", "1"),  # ERA5: (0 - 1) and ~
)
_TOKEN = re.compile(r"\*\*|[A-Za-zµμ°%]+|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\S")


@dataclass(frozen=True)
class _Unit:
    """Base units are `factor * value + offset`."""

    factor: float
    offset: float
    powers: _Powers


def conversion(source: str, target: str, difference: bool = False) -> tuple[float, float] | None:
    """Return (a, b) such that `a * value + b` converts from `source` to `target`.

    Args:
        source: `units` attribute of the values.
        target: unit to convert to.
        difference: values are differences of temperature, which have no offset.

    Returns:
        None if a unit is unknown or the two measure different quantities.
    """
    if " ".join(source.split()) == " ".join(target.split()):
        return 1.0, 0.0
    first, second = _parse(source), _parse(target)
    if first is None or second is None:
        return None
    ratio = first.factor / second.factor
    apart = tuple(a - b for a, b in zip(first.powers, second.powers, strict=True))
    if not any(apart):
        return ratio, 0.0 if difference else (first.offset - second.offset) / second.factor
    if apart == _WATER:
        return ratio / _WATER_DENSITY, 0.0
    if apart == tuple(-power for power in _WATER):
        return ratio * _WATER_DENSITY, 0.0
    return None


def is_difference(metadata: str) -> bool:
    """Whether the attribute `units_metadata` (CF 1.11) says that values are differences."""
    return metadata.replace(" ", "") == "temperature:difference"


def _parse(text: str) -> _Unit | None:
    """Parse a unit; None if it is unknown."""
    text = text.strip().translate(_SUPERSCRIPTS)
    for pattern, replacement in _PHRASES:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    factors: list[tuple[str, float, _Powers, int]] = []
    sign, base = 1, False  # base: a power may follow
    for token in _TOKEN.findall(text):
        if token in ("/", "per"):
            sign, base = -1, False
        elif token in ("*", ".", "·"):
            base = False
        elif token in ("**", "^"):
            if not base:
                return None
        elif re.match(r"[-+]?\d", token):
            if base:
                name, factor, powers, power = factors[-1]
                if not token.lstrip("+-").isdigit():
                    return None
                factors[-1] = (name, factor, powers, power * int(token))
            else:
                factors.append((token, float(token), _ONE, sign))
                sign = 1
            base = False
        else:
            entry = _SYMBOLS.get(token) or _WORDS.get(token.lower())
            if entry is None:
                return None
            factors.append((token, *entry, sign))
            sign, base = 1, True
    if not factors or any(abs(power) > 9 for *_, power in factors):
        return None
    total = [0] * len(_BASE)
    product = 1.0
    for _, factor, powers, power in factors:
        if factor == 0.0:
            return None
        product *= factor**power
        total = [a + power * b for a, b in zip(total, powers, strict=True)]
    alone = len(factors) == 1 and factors[0][3] == 1
    return _Unit(product, _OFFSETS.get(factors[0][0].lower(), 0.0) if alone else 0.0, tuple(total))
