"""How checks of the contract compare, and how they fail."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from inrc.container import packed, plain
from inrc.errors import ContainerError
from inrc.signal import Signal


def require(kept: bool, sentence: str) -> None:
    """Raise AssertionError with a rule of the contract unless it is kept.

    `assert` would not do: `python -O` drops it.
    """
    if not kept:
        raise AssertionError(f"contract: {sentence}")


def require_same(one: Signal, two: Signal, where: str, tolerance: float) -> None:
    """Require equal shape, meta, weights and queries, and equal features where they are known."""
    require(one.shape == two.shape, f"{where}: shape {two.shape} is {one.shape}")
    check_plain(one.meta, f"{where}: meta")
    check_plain(two.meta, f"{where}: meta")
    require(
        equal(one.meta, two.meta),
        f"{where}: meta {dict(two.meta)!r:.300} is {dict(one.meta)!r:.300}",
    )
    require(close(one.queries, two.queries, tolerance), f"{where}: queries are the same")
    require(one.features.shape == two.features.shape, f"{where}: as many features")
    error = (one.features - two.features).abs()
    if one.weights is not None:
        if two.weights is not None:  # a joined signal needs no weights
            require(close(one.weights, two.weights, tolerance), f"{where}: weights are the same")
        error = error * (one.weights > 0)[..., None]
    require(
        bool((error <= tolerance).all()),
        f"{where}: features are the same within {tolerance:.3g}, not {error.max().item():.3g}",
    )


def close(one: Tensor, two: Tensor, tolerance: float) -> bool:
    """Whether no two values differ by more than a tolerance; one part may stand for many."""
    if (
        one.dim() == two.dim()
        and one.shape[0] != two.shape[0]
        and 1 in (one.shape[0], two.shape[0])
    ):
        parts = max(one.shape[0], two.shape[0])
        one, two = one.expand(parts, *one.shape[1:]), two.expand(parts, *two.shape[1:])
    return one.shape == two.shape and bool(((one - two).abs() <= tolerance).all())


def equal(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether two metas are the same bytes in an archive."""
    return packed(plain(one, "meta")) == packed(plain(two, "meta"))


def check_plain(value: Any, what: str) -> None:
    """Require a value that a card or an archive can store."""
    try:
        plain(value, what)
    except ContainerError as error:
        raise AssertionError(f"contract: {what} holds plain values only: {error}") from error


def require_one_line(error: Exception, where: str) -> None:
    """Require that an error has one line of text."""
    text = str(error)
    require(bool(text.strip()) and "\n" not in text, f"{where} is one line: {text!r:.200}")
