"""Names that a package exports and imports at their first use."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def exported(package: str, **modules: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package that exports names of modules that are slow to import.

    Args:
        package: its `__name__`.
        modules: for each name, the module of the package that defines it.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get
