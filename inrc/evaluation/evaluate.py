"""Every quality level of a model and every ordinary codec on the same files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inrc.errors import UsageError
from inrc.evaluation.baselines import baseline
from inrc.evaluation.rows import Key, Result, append, load, mend
from inrc.evaluation.trial import Trial, describe, try_codec
from inrc.evaluation.workers import Failed, Workers
from inrc.model import Model

BEYOND = 3.0
"""An ordinary codec is tried up to so many times our highest rate on a file, and until it is better
than our best there: so its curve meets ours wherever it can. Two settings are tried at least. It
goes on with all files until that holds for each: a point of a curve is the mean over all files."""
TWICE = 2
"""A codec that fails on a file so often in a row is not asked again: it refuses, or hangs."""


@dataclass
class Plan:
    """What to measure, and how.

    Args:
        files: native files, all of the model's kind.
        model: codec.safetensors.
        qualities: of the model's quality levels.
        baselines: names of ordinary codecs.
        repeats: warm runs whose median is the time.
        limit: seconds that a single trial may take.
        jobs: processes.
    """

    files: Sequence[Path]
    model: Path
    qualities: Sequence[int]
    baselines: Sequence[str] = ()
    repeats: int = 3
    limit: float = 600.0
    jobs: int = 1
    done: dict[Key, Result] = field(default_factory=dict)


def evaluate(plan: Plan, output: Path) -> Iterator[Result]:
    """Measure what `output` does not hold yet; rows are added to it as they come.

    Our own codec goes first: its rates say how far the others are followed. A trial that fails, or
    takes too long, is a row with an `error`; rows with errors are tried again by the next call.

    Raises:
        UsageError: a quality level or a codec that there is not.
        SignalError: an `output` that holds something else.
    """
    model = Model.load(plan.model)
    for quality in plan.qualities:
        if not 0 <= quality < model.num_qualities:
            raise UsageError(
                f"quality level {quality}: this model has quality levels 0 to {model.num_qualities - 1}"
            )
    codecs = {name: baseline(plan.model, model, name) for name in plan.baselines}
    if output.exists():
        mend(output)
        plan.done = {row.key: row for row in load(output) if row.error is None}
    ours = [
        Trial(plan.model, file, None, float(quality), plan.repeats)
        for file in plan.files
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
        # one setting of every codec and file at a time, cheapest first, until it is beyond ours
        open_ended = [(file, name) for file in plan.files for name in plan.baselines]
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
                    and row.rate > BEYOND * highest.get(trial.file, float("inf"))
                    and row.measures["psnr"] > best.get(trial.file, float("inf"))
                ):
                    beyond.add(pair)
                if failed[pair] == TWICE:
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
    """Rows of trials, old ones first; new ones are written before they are handed on."""
    new: dict[Trial, Result] = {}
    for trial in trials:
        try:
            row = describe(trial, model)
        except OSError as error:
            reason = f"{trial.file}: cannot be read ({error.strerror})"
            row = Result(
                codec=trial.codec or "inrc", setting=trial.setting, setting_unit="",
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
