"""Contexts: any symbols come back, and what a row's own roughness tells of it is used."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrc.entropy import Tables, decode, encode
from inrc.entropy.contexts import MAX_SIZE, WINDOWS, Contexts, Trail, activity, sizes
from inrc.entropy.learned import LearnedBottleneck
from inrc.entropy.pooling import MAX_ENTRIES, MAX_TABLES, pooled_tables
from inrc.errors import ContainerError


def laplace(spread: np.ndarray, reach: int) -> np.ndarray:
    """A distribution over -reach ... reach for each spread."""
    bars = np.exp(-np.abs(np.arange(-reach, reach + 1)) / spread[:, None])
    return bars / bars.sum(1, keepdims=True)


def rough(rows: int, columns: int, seed: int) -> np.ndarray:
    """Rows of which half are flat and half are ten times as rough."""
    rng = np.random.default_rng(seed)
    spread = np.where(rng.random(rows) < 0.5, 0.3, 3.0)[:, None]
    return np.rint(rng.laplace(scale=np.broadcast_to(spread, (rows, columns)))).astype(np.int64)


def fitted(rows: int = 400, columns: int = 20) -> Tables:
    density = laplace(np.full(columns, 2.0), 60)
    return pooled_tables(rough(rows, columns, 0), density, 100.0)


def test_activity_is_the_sum_that_it_says() -> None:
    symbols = np.random.default_rng(0).integers(-30, 31, (5, 100))
    own, others = activity(symbols)

    def known(row: int, k: int, window: int) -> int:
        return sum(min(abs(int(x)), MAX_SIZE) for x in symbols[row, max(k - window, 0) : k])

    for row in range(5):
        for k in range(100):
            assert own[row, k] == sum(known(row, k, window) for window in WINDOWS)
            beside = max(row - 1, 0), min(row + 1, 4)  # the first and the last: themselves
            assert others[row, k] == sum(known(each, k, WINDOWS[0]) for each in beside)


@settings(deadline=None)
@given(st.data())
def test_a_decoder_walks_the_contexts_of_the_encoder(data: st.DataObject) -> None:
    columns = data.draw(st.integers(1, 150))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows = data.draw(st.integers(1, 4))
    edges = np.sort(rng.integers(0, 200, (columns, 4)), 1)
    contexts = Contexts(edges, edges[:, :2], rng.integers(0, 9, (columns, 15)))
    symbols = rng.integers(-12, 13, (rows, columns))
    trail, chosen = Trail(contexts, rows), []
    for column in symbols.T:
        chosen.append(trail.tables())
        trail.append(sizes(column))
    np.testing.assert_array_equal(np.stack(chosen, 1), contexts.tables(symbols))


def test_long_archives_are_looked_at_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    edges = np.sort(rng.integers(0, 80, (9, 4)), 1)
    contexts = Contexts(edges, edges[:, :2], rng.integers(0, 99, (9, 15)))
    symbols = rng.integers(-9, 10, (50, 9))
    whole = contexts.tables(symbols)
    for held in (1, 20, 70):
        monkeypatch.setattr("inrc.entropy.contexts.MAX_SYMBOLS", held)
        np.testing.assert_array_equal(contexts.tables(symbols), whole)


@settings(deadline=None)
@given(st.data())
def test_any_symbols_come_back(data: st.DataObject) -> None:
    tables = FITTED
    row = st.lists(
        st.one_of(st.integers(-3, 3), st.integers(-(2**31) + 1, 2**31 - 1)),
        min_size=20, max_size=20,
    )  # fmt: skip
    symbols = np.array(data.draw(st.lists(row, max_size=4)), np.int32).reshape(-1, 20)
    decoded = decode(encode(symbols, tables), len(symbols), 20, tables)
    np.testing.assert_array_equal(decoded, symbols)


def test_rows_cost_what_is_known_of_their_roughness() -> None:
    """Beside the entropies of the mixture and of its halves, which are summed up here."""
    columns = 64
    tables = pooled_tables(rough(4000, columns, 0), laplace(np.full(columns, 2.0), 60), 100.0)
    held = rough(2000, columns, 1).astype(np.int32)
    bits = tables.bits(held).sum() / held.size
    assert 8 * len(encode(held, tables)) / held.size == pytest.approx(bits, rel=0.01)
    # a Laplace distribution of scale b, rounded: p(0) = 1 - exp(-1/2b), ...
    shapes = []
    for b in (0.3, 3.0):
        k = np.arange(1, 200)
        sides = (np.exp(-(k - 0.5) / b) - np.exp(-(k + 0.5) / b)) / 2
        shapes.append(np.concatenate([sides[::-1], [1 - math.exp(-0.5 / b)], sides]))
    entropy = [float(-(p * np.log2(np.maximum(p, 1e-300))).sum()) for p in shapes]
    mixed = np.mean(shapes, 0)
    without = float(-(mixed * np.log2(np.maximum(mixed, 1e-300))).sum())
    ideal = float(np.mean(entropy))
    assert ideal < bits < ideal + 0.2 * (without - ideal)


def test_rows_cost_less_where_their_neighbours_are_alike() -> None:
    rng = np.random.default_rng(4)
    spread = np.repeat(rng.choice([0.3, 1.0, 3.0], 600), 20)[:, None]  # loud and quiet for a while
    symbols = np.rint(rng.laplace(scale=np.broadcast_to(spread, (12_000, 6)))).astype(np.int64)
    density = laplace(np.full(6, 2.0), 200)
    held = symbols[8000:].astype(np.int32)
    inorder = pooled_tables(symbols[:8000], density, 100.0).bits(held).sum()
    shuffled = pooled_tables(rng.permutation(symbols[:8000]), density, 100.0).bits(held).sum()
    assert inorder < 0.99 * shuffled


def test_few_signals_do_no_harm() -> None:
    """Sixteen training rows tell nothing of contexts: the density goes on to say it all."""
    density = laplace(np.linspace(0.3, 4.0, 32), 60)
    rng = np.random.default_rng(2)
    draw = [rng.choice(121, 1016, p=p) - 60 for p in density]
    symbols = np.stack(draw, 1)
    tables = pooled_tables(symbols[:16], density, 100.0)
    held = symbols[16:].astype(np.int32)
    ideal = -sum(np.log2(p[held[:, k] + 60]).sum() for k, p in enumerate(density))
    assert tables.bits(held).sum() < 1.01 * ideal


def test_wide_symbols_are_escaped_and_tables_are_few() -> None:
    symbols = np.random.default_rng(3).integers(-5000, 5000, (50, 3))
    tables = pooled_tables(symbols, laplace(np.full(3, 2000.0), MAX_ENTRIES // 2 - 1), 100.0)
    assert tables.lengths.max() <= MAX_ENTRIES and len(tables.lengths) <= MAX_TABLES
    decoded = decode(encode(symbols.astype(np.int32), tables), 50, 3, tables)
    np.testing.assert_array_equal(decoded, symbols)


def test_contexts_that_fit_no_table_are_refused() -> None:
    t = FITTED
    assert t.contexts is not None
    c = t.contexts
    for broken in (
        Contexts(c.thresholds, c.beside, c.choice + len(t.lengths)),
        Contexts(c.thresholds, c.beside, c.choice[:, 1:]),
        Contexts(c.thresholds[1:], c.beside, c.choice),
        Contexts(c.thresholds, c.beside, c.choice[1:]),
    ):  # fmt: skip
        with pytest.raises(ContainerError, match="probability tables"):
            Tables(t.counts, t.lengths, t.offsets, broken)
    with pytest.raises(ContainerError, match="ends before"):
        Tables(t.counts, t.lengths, t.offsets + 60, t.contexts)


def test_a_bottleneck_takes_its_contexts_along() -> None:
    torch.manual_seed(0)
    scale = torch.where(torch.rand(600, 1) < 0.5, 0.2, 2.0)
    latents = torch.randn(600, 24) * scale
    bottleneck = LearnedBottleneck(24, 1000.0, hidden=0)
    bottleneck.prepare()
    bottleneck.calibrate(latents, torch.eye(24), 100)
    bottleneck.tabulate(latents)
    again = LearnedBottleneck(24, 1000.0, hidden=0)
    bottleneck.finish()
    again.load_state_dict(bottleneck.state_dict())
    symbols = bottleneck.quantize(latents)
    assert again.compress(symbols) == bottleneck.compress(symbols)
    assert torch.equal(again.decompress(bottleneck.compress(symbols), 600), symbols)


FITTED = fitted()
