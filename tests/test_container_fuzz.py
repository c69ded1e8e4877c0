"""Archives that are damaged behind a correct checksum raise InrcError, and nothing else."""

import os

import pytest
from archive_fuzz import run

CASES = int(os.environ.get("INRC_FUZZ_CASES", "1000000"))


@pytest.mark.filterwarnings("ignore")
def test_some_thousand_damaged_archives() -> None:
    outcome = run(1_500, 1)
    assert not outcome.failures
    assert {"opened", "decoded", "ContainerError"} <= set(outcome.ends)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_a_million_damaged_archives() -> None:
    assert not run(CASES, 2).failures
