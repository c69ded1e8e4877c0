"""How the law of modalities compares and complains."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from inrc.container import packed, plain
from inrc.errors import ContainerError
from inrc.signal import Signal


def law(kept: bool, sentence: str) -> None:
    """Raise AssertionError with a sentence of the law unless it is kept.

    Not `assert`, which `python -O` drops.
    """
    if not kept:
        raise AssertionError(f"law: {sentence}")


def same(one: Signal, two: Signal, where: str, tolerance: float) -> None:
    """Two signals have the same shape, meta, weights, and, where known, queries and features."""
    law(one.shape == two.shape, f"{where}: shape {two.shape} is {one.shape}")
    check_plain(one.meta, f"{where}: meta")
    check_plain(two.meta, f"{where}: meta")
    law(
        equal(one.meta, two.meta),
        f"{where}: meta {dict(two.meta)!r:.300} is {dict(one.meta)!r:.300}",
    )
    law(close(one.queries, two.queries, tolerance), f"{where}: queries are the same")
    law(one.features.shape == two.features.shape, f"{where}: as many features")
    error = (one.features - two.features).abs()
    if one.weights is not None:
        if two.weights is not None:  # those that are joined need none
            law(close(one.weights, two.weights, tolerance), f"{where}: weights are the same")
        error = error * (one.weights > 0)[..., None]
    law(
        bool((error <= tolerance).all()),
        f"{where}: features are the same within {tolerance:.3g}, not {error.max().item():.3g}",
    )


def close(one: Tensor, two: Tensor, tolerance: float) -> bool:
    """No two values differ by more; one part may stand for many."""
    if (
        one.dim() == two.dim()
        and one.shape[0] != two.shape[0]
        and 1 in (one.shape[0], two.shape[0])
    ):
        most = max(one.shape[0], two.shape[0])
        one, two = one.expand(most, *one.shape[1:]), two.expand(most, *two.shape[1:])
    return one.shape == two.shape and bool(((one - two).abs() <= tolerance).all())


def equal(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Two metas are the same to the last byte of an archive."""
    return packed(plain(one, "meta")) == packed(plain(two, "meta"))


def check_plain(value: Any, what: str) -> None:
    """A value is one that a card or an archive can hold."""
    try:
        plain(value, what)
    except ContainerError as error:
        raise AssertionError(f"law: {what} holds plain values only: {error}") from error


def one_line(error: Exception, where: str) -> None:
    """An error says something, in one line."""
    text = str(error)
    law(bool(text.strip()) and "\n" not in text, f"{where} is said in one line: {text!r:.200}")
