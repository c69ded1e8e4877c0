"""Every quality level of a model and every baseline on the same files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inrc.errors import UsageError
from inrc.evaluation.baselines import baseline
from inrc.evaluation.results import (
    CODEC_NAME,
    Key,
    Result,
    append,
    distinct,
    drop_partial_line,
    load,
)
from inrc.evaluation.trial import Trial, describe, try_codec
from inrc.evaluation.workers import Failed, Workers
from inrc.model import Model

MAX_RATE_RATIO = 3.0
"""A baseline is measured up to this ratio of rates to our highest on a file, and until it is better
than our best, so that the curves overlap if they can. At least two settings are measured. The
condition must hold for each file: a point of a curve is the mean over all files."""
MAX_FAILURES = 2
"""Failures in a row after which a codec is not tried on a file again."""


@dataclass
class Plan:
    """What to measure.

    Args:
        files: native files of the model's kind.
        model: path of codec.safetensors.
        qualities: of the model's quality levels.
        baselines: names of baselines.
        repeats: warm runs whose median is the time.
        limit: maximum seconds of a trial.
        jobs: number of processes.
        max_memory: bytes that the model's codec may allocate; None takes a share of what is free.
    """

    files: Sequence[Path]
    model: Path
    qualities: Sequence[int]
    baselines: Sequence[str] = ()
    repeats: int = 3
    limit: float = 600.0
    jobs: int = 1
    max_memory: int | None = None
    done: dict[Key, Result] = field(default_factory=dict)


def evaluate(plan: Plan, output: Path) -> Iterator[Result]:
    """Measure what `output` does not hold yet, and append each result to it.

    Files with equal content are measured once. Our own codec is measured first: its rates decide
    which settings of the others are measured. A trial that fails or takes too long is a result with
    an `error`; the next call tries it again.

    Raises:
        UsageError: a quality level or a codec that does not exist.
        SignalError: an `output` that is not a file of results.
    """
    model = Model.load(plan.model)
    for quality in plan.qualities:
        if not 0 <= quality < model.num_qualities:
            raise UsageError(
                f"quality level {quality}: this model has 0 to {model.num_qualities - 1}"
            )
    codecs = {name: baseline(plan.model, model, name) for name in plan.baselines}
    if output.exists():
        drop_partial_line(output)
        plan.done = {row.key: row for row in load(output) if row.error is None}
    files, _ = distinct(plan.files)
    ours = [
        Trial(plan.model, file, None, float(quality), plan.repeats, plan.max_memory)
        for file in files
        for quality in plan.qualities
    ]
    highest: dict[Path, float] = {}
    best: dict[Path, float] = {}
    with Workers(try_codec, plan.jobs, plan.limit) as workers:
        for trial, row in _tried(ours, plan, model, output, workers):
            if row.error is None:
                highest[trial.file] = max(row.rate, highest.get(trial.file, 0.0))
                best[trial.file] = max(row.measures["psnr"], best.get(trial.file, -float("inf")))
            yield row
        # one setting of every codec and file at a time, lowest rate first
        open_ended = [(file, name) for file in files for name in plan.baselines]
        failed: Counter[tuple[Path, str]] = Counter()
        beyond: set[tuple[Path, str]] = set()
        for step in range(max((len(codecs[name].qualities) for name in plan.baselines), default=0)):
            trials = [
                Trial(plan.model, file, name, codecs[name].qualities[step], plan.repeats)
                for file, name in open_ended
                if step < len(codecs[name].qualities)
            ]
            for trial, row in _tried(trials, plan, model, output, workers):
                assert trial.codec is not None
                pair = trial.file, trial.codec
                failed[pair] = failed[pair] + 1 if row.error is not None else 0
                if (
                    step > 0
                    and row.error is None
                    and row.rate > MAX_RATE_RATIO * highest.get(trial.file, float("inf"))
                    and row.measures["psnr"] > best.get(trial.file, float("inf"))
                ):
                    beyond.add(pair)
                if failed[pair] == MAX_FAILURES:
                    open_ended.remove(pair)
                yield row
            going = {
                name for file, name in open_ended
                if (file, name) not in beyond and (file in highest or not highest)
            }  # fmt: skip
            open_ended = [pair for pair in open_ended if pair[1] in going]


def _tried(
    trials: Sequence[Trial], plan: Plan, model: Model, output: Path, workers: Workers[Trial, Result]
) -> Iterator[tuple[Trial, Result]]:
    """Results of trials, known ones first; new ones are written before they are yielded."""
    new: dict[Trial, Result] = {}
    for trial in trials:
        try:
            row = describe(trial, model)
        except OSError as error:
            reason = f"{trial.file}: cannot be read ({error.strerror})"
            row = Result(
                codec=trial.codec or CODEC_NAME, setting=trial.setting, setting_unit="",
                file=str(trial.file), file_id="", modality=model.modality.name,
                unit=model.modality.unit, error=reason,
            )  # fmt: skip
            append(output, [row])
            yield trial, row
            continue
        if row.key in plan.done:
            yield trial, plan.done[row.key]
        else:
            new[trial] = row
    for trial, result in workers.run(list(new)):
        row = replace(new[trial], error=result.reason) if isinstance(result, Failed) else result
        append(output, [row])
        yield trial, row
