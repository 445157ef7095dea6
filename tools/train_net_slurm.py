"""Train or evaluate as a SLURM job, which is requeued with --resume when it is preempted or its time limit is reached.

The flags before ``--`` describe the job; the arguments after it are the command line of ``tools/train_net.py``. The job
runs one process per GPU, with logs in OUTPUT_DIR/slurm. It needs ``pip install "frozenseg[slurm]"``.

Examples:
  eight GPUs of one machine, with a time limit of a day per run:
    python tools/train_net_slurm.py --gpus 8 --hours 24 --partition gpu -- --config-file CONFIG OUTPUT_DIR output/run

  two machines, with other options of sbatch:
    python tools/train_net_slurm.py --nodes 2 --gpus 8 --slurm account=vision qos=high -- --config-file CONFIG

  a test on this machine, without SLURM, on the CPU:
    python tools/train_net_slurm.py --cluster local --gpus 0 -- --config-file configs/toyworld/frozenseg_tiny.yaml
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.cli.command_line import docstring_parser, number_flag, run_script, whole_number_flag
from frozenseg.engine.arguments import overrides, parse_arguments
from frozenseg.errors import ConfigError


def job_parser() -> argparse.ArgumentParser:
    """Return the parser of the flags that describe the job."""
    parser = docstring_parser(__doc__)
    parser.add_argument(
        "--nodes",
        type=whole_number_flag(1, 10_000, "machines"),
        default=1,
        metavar="N",
        help="machines (default: 1)",
    )
    parser.add_argument(
        "--gpus",
        type=whole_number_flag(0, 1_024, "GPUs"),
        default=1,
        metavar="N",
        help="GPUs on each machine; 0: one process on the CPU (default: 1)",
    )
    cores = whole_number_flag(1, 1_024, "cores")
    parser.add_argument("--cpus", type=cores, default=8, metavar="N", help="CPU cores for each process (default: 8)")
    parser.add_argument(
        "--hours",
        type=number_flag(0.01, 10_000, "hours"),
        default=24,
        metavar="H",
        help="time limit of each run (default: 24)",
    )
    parser.add_argument("--partition", metavar="NAME", help="SLURM partition (default: that of the cluster)")
    parser.add_argument(
        "--requeues",
        type=whole_number_flag(0, 10_000, "times"),
        default=20,
        metavar="N",
        help="how often the job is requeued after its time limit (default: 20)",
    )
    parser.add_argument(
        "--grace",
        type=whole_number_flag(0, 1_000_000, "seconds"),
        default=180,
        metavar="S",
        help="seconds before the time limit at which training stops: enough for a step and a checkpoint (default: 180)",
    )
    parser.add_argument(
        "--slurm", nargs="*", default=[], metavar="KEY=VALUE", help="other SLURM parameters of submitit"
    )
    parser.add_argument(
        "--cluster",
        choices=("slurm", "local"),
        default="slurm",
        help="run on SLURM or on this machine (default: slurm)",
    )
    parser.add_argument("train", nargs="+", metavar="-- ARGUMENTS", help="command line of tools/train_net.py")
    return parser


def checked_folder(argv: Sequence[str], processes: int) -> Path:
    """Check a training command line and return its OUTPUT_DIR.

    Args:
        argv: command line of ``tools/train_net.py``.
        processes: of the job.

    Raises:
        FrozenSegError: The config or a flag is wrong.
    """
    from frozenseg.config import load_config
    from frozenseg.data.batch_plan import BatchPlan
    from frozenseg.engine.run import check

    arguments = parse_arguments(argv)
    cfg = load_config(arguments.config_file, overrides(arguments))
    check(cfg, arguments.eval_only)
    if not arguments.eval_only:
        BatchPlan(cfg.SOLVER.IMS_PER_BATCH, processes, cfg.SOLVER.IMAGES_AT_ONCE)
    return Path(os.path.expanduser(cfg.OUTPUT_DIR))


def build_executor(arguments: argparse.Namespace, folder: Path) -> Any:
    """Return the submitit executor of a job.

    Raises:
        ConfigError: submitit or SLURM is missing, or a parameter is unknown.
    """
    try:
        import submitit
    except ImportError as error:
        raise ConfigError('submitit is not installed: run pip install "frozenseg[slurm]"') from error
    if arguments.cluster == "slurm" and submitit.SlurmExecutor.affinity() <= 0:
        raise ConfigError("SLURM was not found (no srun): run this on a login node, or give --cluster local.")
    parameters = {
        "name": "frozenseg",
        "nodes": arguments.nodes,
        "gpus_per_node": arguments.gpus,
        "tasks_per_node": max(1, arguments.gpus),
        "cpus_per_task": arguments.cpus,
        "timeout_min": round(60 * arguments.hours),
        "slurm_signal_delay_s": arguments.grace,
        "slurm_partition": arguments.partition,
        "slurm_srun_args": ["--kill-on-bad-exit=1"],  # otherwise the other processes wait for one that failed
    }
    for setting in arguments.slurm:
        key, _, value = setting.partition("=")
        parameters[f"slurm_{key}"] = value
    executor = submitit.AutoExecutor(folder, cluster=arguments.cluster, slurm_max_num_timeout=arguments.requeues)
    try:
        executor.update_parameters(**parameters)
    except NameError as error:
        raise ConfigError(f"--slurm {' '.join(arguments.slurm)}: {error}") from error
    return executor


def submit(argv: Sequence[str] | None = None) -> Any:
    """Submit the job of a command line; returns the submitit job.

    Raises:
        FrozenSegError: A flag or the config is wrong, or the job cannot be submitted.
    """
    arguments = job_parser().parse_args(argv)
    folder = checked_folder(arguments.train, arguments.nodes * max(1, arguments.gpus)) / "slurm"
    from frozenseg.engine.slurm import TrainingJob

    job = build_executor(arguments, folder).submit(TrainingJob(arguments.train))
    print(f"Submitted job {job.job_id}; logs: {folder}")
    return job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""

    def work() -> None:
        submit(argv)

    return run_script(work)


if __name__ == "__main__":
    raise SystemExit(main())
