"""How papers prepare fields on the globe, by name."""

from dataclasses import dataclass

import xarray as xr

from inrc.errors import SignalError, UsageError


@dataclass(frozen=True)
class Preset:
    """One variable on a coarse grid.

    Args:
        names: of the variable, in several archives; the first that is there is taken.
        unit: that it must have.
        grid: rows and columns of the result; rows reach from pole to pole.
        range: values that become 0 and 1.
        area_weights: whether errors count by area.
    """

    names: tuple[str, ...]
    unit: str
    grid: tuple[int, int]
    range: tuple[float, float]
    area_weights: bool

    def variable(self, data: xr.Dataset, where: str) -> str:
        """Its name in a data set.

        Raises:
            SignalError: it is not there, or in other units.
        """
        names = [name for name in self.names if name in data]
        if not names:
            known = ", ".join(str(name) for name in data.data_vars)
            raise SignalError(f"{where}: has {known}; this preset wants one of {self.names}")
        unit = str(data[names[0]].attrs.get("units", ""))
        if unit != self.unit:
            raise SignalError(f"{where}: {names[0]} is in {unit or 'no units'}, not {self.unit}")
        return names[0]

    def steps(self, rows: int, columns: int, where: str) -> tuple[int, int]:
        """Every how many rows and columns are taken.

        Raises:
            SignalError: a grid that no stride thins to this one.
        """
        height, width = self.grid
        if (rows - 1) % (height - 1) or columns % width or rows < height:
            raise SignalError(
                f"{where}: a grid of {rows} by {columns} cannot be thinned to {height} by {width}; "
                f"it needs {height - 1} n + 1 rows, poles included, and {width} n columns"
            )
        return (rows - 1) // (height - 1), columns // width


PRESETS = {
    # Dupont et al. 2022, COIN++, 4.3 and A.3: 721 by 1440 points, every 16th; the range is that of
    # the authors' code. Their 12,096 globes of 1979 to 2020 are as many as monthly means by hour of
    # the day (42 x 12 x 24); which of them they trained on is not published.
    "coinpp": Preset(
        ("t2m", "2m_temperature", "2t", "VAR_2T", "t", "temperature"),
        "K", (46, 90), (202.66, 320.93), area_weights=False,
    ),
}  # fmt: skip


def preset(name: str) -> Preset:
    """A preset by its name.

    Raises:
        UsageError: it is unknown.
    """
    if name not in PRESETS:
        raise UsageError(f"preset {name}: unknown; there are {', '.join(PRESETS)}")
    return PRESETS[name]
