"""A job whose command was killed is not started a second time while it runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frozenseg.errors import ConfigError
from lab.ablation.inputs import RECORD, _read_record
from lab.ablation.jobs import Job, RunFailedError, run_jobs

PATIENCE = 60  # seconds
SCRIPT = """\
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("OUTPUT_DIR") + 1])
(folder / "pid").write_text(str(os.getpid()))
while not (folder / "go").exists(): time.sleep(0.02)
(folder / "result").write_text("done")
"""
COMMAND = """\
import pathlib, sys
from lab.ablation.jobs import Job, run_jobs
run_jobs([Job("training", pathlib.Path(sys.argv[1]), (sys.argv[2],), ("work",), "result")], 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows passes no file descriptors: nothing is locked")
def test_a_job_that_outlives_its_command_is_not_started_twice(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "job"
    script.write_text(SCRIPT)
    command = subprocess.Popen([sys.executable, "-c", COMMAND, str(folder), str(script)], env=environment())
    pid = int(content_of(folder / "pid"))
    command.send_signal(signal.SIGKILL)
    command.wait()
    job = Job("training", folder, (str(script),), ("work",), "result")
    with pytest.raises(RunFailedError, match="still runs in"):
        run_jobs([job], 1)
    assert content_of(folder / "pid") == str(pid)
    (folder / "go").touch()
    assert content_of(folder / "result") == "done"
    run_when_unlocked(job)
    assert job.seconds is not None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"inputs": [], "questions": []}', '{"inputs": {}, "questions": [{"sha": ""}]}']
)
def test_another_json_file_is_no_record_of_a_study(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ConfigError, match="is not the record of a study"):
        _read_record(tmp_path / RECORD)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def content_of(file: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, f"{file} is not written"
        time.sleep(0.02)
    return file.read_text()


def run_when_unlocked(job: Job) -> None:
    """Run a job as soon as the process before it has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return run_jobs([job], 1)
        except RunFailedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
