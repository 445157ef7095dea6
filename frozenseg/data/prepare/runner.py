"""Runs the steps of a converter in parallel, with progress, and resumes an interrupted run.

The result of each job is appended to a log, ``<root>/.prepare/<converter>/<step>.jsonl``, as soon as the job is done; a
job counts as done if its line and its output files exist. When the step is complete, the log is replaced by a file with
the setting of the step, ``<step>.done``.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_text
from frozenseg.data.prepare.converter import STATE_FOLDER, ConversionStep, Converter, Job, JobResult
from frozenseg.errors import DataError
from frozenseg.log import get_logger, progress
from frozenseg.parallel import run_tasks

logger = get_logger(__name__)
DONE = ".done"


@dataclass
class ConversionReport:
    """Numbers of jobs of a conversion.

    Attributes:
        done: jobs of this run.
        kept: jobs that an earlier run had done.
        bad: name of each job that failed → reason.
    """

    done: int = 0
    kept: int = 0
    bad: dict[str, str] = field(default_factory=dict)


def prepare(converter: Converter, root: Path, workers: int = 1, skip_bad: bool = False) -> ConversionReport:
    """Convert a download.

    Args:
        converter: the conversion.
        root: the data sets' folder.
        workers: number of processes; 1 runs in this process.
        skip_bad: continue without images that cannot be converted, instead of stopping at the first.

    Raises:
        DataError: raw files are missing, or an image cannot be converted.
    """
    converter.check(root)
    report = ConversionReport()
    for make_step in converter.steps(root):
        step = make_step()
        job_log = root / STATE_FOLDER / converter.name / f"{re.sub(r'[^a-z0-9]+', '_', step.title.lower())}.jsonl"
        _run(step, job_log, report, workers, skip_bad)
    return report


def _run(step: ConversionStep, job_log: Path, report: ConversionReport, workers: int, skip_bad: bool) -> None:
    results = _read_results(step, job_log)
    missing = [job for job in step.jobs if job.name not in results]
    report.kept += len(results)
    if not missing and all(path.exists() for path in step.outputs):
        logger.info("%s: all %d jobs were done before.", step.title, len(step.jobs))
    else:
        bad = _run_jobs(step, missing, results, job_log, workers, skip_bad)
        report.done += len(missing) - len(bad)
        report.bad.update(bad)
        if step.finish is not None:
            step.finish([results[job.name] for job in step.jobs if job.name in results])
        if bad:
            return
    write_text(job_log.with_suffix(DONE), step.setting)
    job_log.unlink(missing_ok=True)


def _run_jobs(
    step: ConversionStep,
    jobs: Sequence[Job],
    results: dict[str, JobResult],
    job_log: Path,
    workers: int,
    skip_bad: bool,
) -> dict[str, str]:
    """Run jobs and add their results to ``results`` and to the log; returns the failed jobs with the reasons."""
    bad: dict[str, str] = {}
    write_text(job_log, "\n".join(json.dumps(line) for line in (step.setting, *results.items())))
    with job_log.open("a", encoding="utf-8") as file:
        finished = run_tasks(_attempt, [(step.work, job.arguments) for job in jobs], workers)
        for index, result in progress(finished, step.title, total=len(jobs)):
            job = jobs[index]
            if not isinstance(result, DataError):
                results[job.name] = result
                file.write(json.dumps([job.name, result]) + "\n")
                file.flush()
            elif skip_bad:
                logger.warning("Skipped: %s", result)
                bad[job.name] = str(result)
            else:
                raise DataError(f"{result} Replace the file, or skip it with --skip-bad.") from result
    return bad


def _read_results(step: ConversionStep, job_log: Path) -> dict[str, JobResult]:
    """Return the results of the jobs that need not run again, by name.

    A complete step has no log any more. If only some of its files are missing and ``finish`` is None, only their jobs
    run again.
    """
    names = [job.name for job in step.jobs]
    if duplicates := len(names) - len(set(names)):
        raise DataError(f"{step.title}: {duplicates} images have the name of another image; remove the duplicates.")
    existing = {job.name for job in step.jobs if all(path.exists() for path in job.outputs)}
    done = job_log.with_suffix(DONE)
    if job_log.exists():
        setting, lines = _read_job_log(job_log)
        return {name: result for name, result in lines if name in existing} if setting == step.setting else {}
    if not done.exists() or done.read_text(encoding="utf-8").strip() != step.setting:
        return {}
    complete = len(existing) == len(names) and all(path.exists() for path in step.outputs)
    return dict.fromkeys(existing) if complete or step.finish is None else {}


def _read_job_log(job_log: Path) -> tuple[str | None, list[tuple[str, JobResult]]]:
    """Return the setting and the results; None and no results for a log that is damaged by a power failure."""
    try:
        complete = job_log.read_text(encoding="utf-8").split("\n")[:-1]  # the last line may be truncated
        setting, *lines = map(json.loads, complete)
        return setting, [(name, result) for name, result in lines]
    except (ValueError, TypeError) as error:
        logger.warning("The job log %s is damaged (%s): its step runs again.", job_log, error)
        return None, []


def _attempt(work: Any, arguments: tuple[Any, ...]) -> JobResult | DataError:
    try:
        return work(*arguments)
    except DataError as error:
        return error
