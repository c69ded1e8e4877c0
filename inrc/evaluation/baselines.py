"""The baselines of a model: codecs of its modality, and codecs trained beside it."""

from importlib.metadata import PackageNotFoundError, metadata
from importlib.util import find_spec
from pathlib import Path

from inrc.errors import UsageError
from inrc.evaluation import linear
from inrc.model import Model
from inrc.signal import Baseline


def baselines(path: Path, model: Model) -> dict[str, Baseline]:
    """Codecs by name, installed or not; `path` is the model's file."""
    codecs = [*model.modality.baselines(path), *linear.baselines(path, model)]
    return {each.name: each for each in codecs}


def baseline(path: Path, model: Model, name: str) -> Baseline:
    """One codec by its name.

    Raises UsageError for an unknown codec, or one that is not installed.
    """
    codecs = baselines(path, model)
    if name not in codecs:
        known = ", ".join(codecs) or "none"
        raise UsageError(f"no codec {name!r} for {model.modality.name}; use one of {known}")
    reason = missing(codecs[name])
    if reason is not None:
        raise UsageError(reason)
    return codecs[name]


def missing(baseline: Baseline) -> str | None:
    """Why a codec cannot be used, and how to install it; None if it can be used."""
    if baseline.brings is not None:
        return f"{baseline.name}: needs {baseline.needs}; run {baseline.brings}"
    package = baseline.needs
    if package is None or (package.isidentifier() and find_spec(package) is not None):
        return None
    extra = _extra(package)
    install = f"; run pip install 'inrc[{extra}]'" if extra else ""
    return f"{baseline.name}: needs {package}, which is not installed{install}"


def _extra(package: str) -> str | None:
    """The first extra of inrc that installs a package."""
    try:
        needed = metadata("inrc").get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return None
    for line in needed:
        requirement, _, marker = line.partition(";")
        name = requirement.split("[")[0].split("=")[0].split("<")[0].split(">")[0].strip()
        if name.lower() == package.lower() and "extra" in marker:
            return marker.split("extra", 1)[1].strip(" ='\")")
    return None
