"""Runs the steps of a converter: in parallel, with progress, and going on where an earlier run was broken off.

What a job results in is written to a journal as soon as it is done, ``<root>/.prepare/<converter>/<step>.jsonl``; a job
is done when its line is there and its files are. When the step is complete, a note of its setting, ``<step>.done``,
takes the journal's place.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_text
from frozenseg.data.prepare.converter import FOLDER, Converter, Job, Result, Step
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress
from frozenseg.parallel import outcomes

logger = get_logger(__name__)
DONE = ".done"


@dataclass
class Report:
    """What was done.

    Attributes:
        done: jobs done now.
        kept: jobs that an earlier run had done.
        bad: what could not be converted, by job, with the reason.
    """

    done: int = 0
    kept: int = 0
    bad: dict[str, str] = field(default_factory=dict)


def prepare(converter: Converter, root: Path, workers: int = 1, skip_bad: bool = False) -> Report:
    """Convert a download.

    Args:
        converter: what to do.
        root: the data sets' folder.
        workers: processes; 1 works in this one.
        skip_bad: go on without pictures that cannot be converted, instead of stopping at the first.

    Raises:
        DataError: raw files are missing, or a picture cannot be converted.
    """
    converter.check(root)
    report = Report()
    for make in converter.steps(root):
        step = make()
        journal = root / FOLDER / converter.name / f"{re.sub(r'[^a-z0-9]+', '_', step.title.lower())}.jsonl"
        _run(step, journal, report, workers, skip_bad)
    return report


def _run(step: Step, journal: Path, report: Report, workers: int, skip_bad: bool) -> None:
    results = _read_results(step, journal)
    missing = [job for job in step.jobs if job.name not in results]
    report.kept += len(results)
    if not missing and all(path.exists() for path in step.outputs):
        logger.info("%s: all %d are there.", step.title, len(step.jobs))
    else:
        bad = _do(step, missing, results, journal, workers, skip_bad)
        report.done += len(missing) - len(bad)
        report.bad.update(bad)
        if step.finish is not None:
            step.finish([results[job.name] for job in step.jobs if job.name in results])
        if bad:
            return
    write_text(journal.with_suffix(DONE), step.setting)
    journal.unlink(missing_ok=True)


def _do(
    step: Step, jobs: Sequence[Job], results: dict[str, Result], journal: Path, workers: int, skip_bad: bool
) -> dict[str, str]:
    """Do jobs, add their results to ``results`` and to the journal; returns what was bad."""
    bad: dict[str, str] = {}
    write_text(journal, "\n".join(json.dumps(line) for line in (step.setting, *results.items())))
    with journal.open("a", encoding="utf-8") as file:
        todo = outcomes(_attempt, [(step.work, job.arguments) for job in jobs], workers)
        for place, result in progress(todo, step.title, total=len(jobs)):
            job = jobs[place]
            if not isinstance(result, DataError):
                results[job.name] = result
                file.write(json.dumps([job.name, result]) + "\n")
                file.flush()
            elif skip_bad:
                logger.warning("Left out: %s", result)
                bad[job.name] = str(result)
            else:
                raise DataError(f"{result} Replace the file, or go on without it by --skip-bad.") from result
    return bad


def _read_results(step: Step, journal: Path) -> dict[str, Result]:
    """Return the results of the jobs that need not be done again, by name.

    A finished step has no journal any more. Where only some of its files are gone, and nothing needs all results at
    once, those alone are made again.
    """
    names = [job.name for job in step.jobs]
    if doubled := len(names) - len(set(names)):
        raise DataError(f"{step.title}: {doubled} of the pictures bear the name of another one; remove one of each.")
    there = {job.name for job in step.jobs if all(path.exists() for path in job.outputs)}
    done = journal.with_suffix(DONE)
    if journal.exists():
        setting, lines = _read_journal(journal)
        return {name: result for name, result in lines if name in there} if setting == step.setting else {}
    if not done.exists() or done.read_text(encoding="utf-8").strip() != step.setting:
        return {}
    whole = len(there) == len(names) and all(path.exists() for path in step.outputs)
    return dict.fromkeys(there) if whole or step.finish is None else {}


def _read_journal(journal: Path) -> tuple[str | None, list[tuple[str, Result]]]:
    """Return the setting and the lines; of a journal that a power failure has damaged, None and none."""
    try:
        complete = journal.read_text(encoding="utf-8").split("\n")[:-1]  # the last line may be cut off
        setting, *lines = map(json.loads, complete)
        return setting, [(name, result) for name, result in lines]
    except (ValueError, TypeError) as error:
        logger.warning("The journal %s is damaged (%s): its step is done anew.", journal, error)
        return None, []


def _attempt(work: Any, arguments: tuple[Any, ...]) -> Result | DataError:
    try:
        return work(*arguments)
    except DataError as error:
        return error
