"""Train or evaluate as a SLURM job, which is queued again with --resume when its time is up or it is preempted.

Flags before ``--`` describe the job, what stands after it is the command line of ``tools/train_net.py``. The job runs
one process for each GPU; what they say lies in OUTPUT_DIR/slurm. Needs ``pip install "frozenseg[slurm]"``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.engine.arguments import overrides, parse_arguments
from frozenseg.errors import ConfigError, FrozenSegError

EXAMPLES = """\
examples:
  eight GPUs of one machine, for at most a day at a time:
    python tools/train_net_slurm.py --gpus 8 --hours 24 --partition gpu -- --config-file CONFIG OUTPUT_DIR output/run

  two machines, and anything else that sbatch knows:
    python tools/train_net_slurm.py --nodes 2 --gpus 8 --slurm account=vision qos=high -- --config-file CONFIG

  try it on this machine, without SLURM, on the CPU:
    python tools/train_net_slurm.py --cluster local --gpus 0 -- --config-file configs/toyworld/frozenseg_tiny.yaml
"""


def job_parser() -> argparse.ArgumentParser:
    """Return the parser of the job's own flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (default: 1)")
    parser.add_argument(
        "--gpus", type=int, default=1, metavar="N", help="GPUs on each machine; 0: one process on the CPU (default: 1)"
    )
    parser.add_argument("--cpus", type=int, default=8, metavar="N", help="CPU cores for each process (default: 8)")
    parser.add_argument("--hours", type=float, default=24, metavar="H", help="time at a stretch (default: 24)")
    parser.add_argument("--partition", metavar="NAME", help="SLURM's partition (default: the cluster's own)")
    parser.add_argument(
        "--requeues", type=int, default=20, metavar="N", help="how often the job may run out of time (default: 20)"
    )
    parser.add_argument(
        "--grace",
        type=int,
        default=180,
        metavar="S",
        help="seconds before the end at which it stops: more than a step and a checkpoint take (default: 180)",
    )
    parser.add_argument(
        "--slurm", nargs="*", default=[], metavar="KEY=VALUE", help="more parameters of submitit for SLURM"
    )
    parser.add_argument("--cluster", choices=("slurm", "local"), default="slurm", help="where (default: slurm)")
    parser.add_argument("train", nargs="+", metavar="-- ARGUMENTS", help="command line of tools/train_net.py")
    return parser


def checked_folder(argv: Sequence[str], processes: int) -> Path:
    """Return OUTPUT_DIR of a training command line, once it is known to make sense.

    Raises:
        FrozenSegError: it does not.
    """
    from frozenseg.config import load_config
    from frozenseg.data.batch_plan import BatchPlan
    from frozenseg.engine.run import check

    arguments = parse_arguments(argv)
    cfg = load_config(arguments.config_file, overrides(arguments))
    check(cfg, arguments.eval_only)
    if not arguments.eval_only:
        BatchPlan(cfg.SOLVER.IMS_PER_BATCH, processes, cfg.SOLVER.IMAGES_AT_ONCE)
    return Path(cfg.OUTPUT_DIR).expanduser()


def executor(arguments: argparse.Namespace, folder: Path) -> Any:
    """Return submitit's executor for a job.

    Raises:
        ConfigError: submitit or SLURM is not there, or a parameter is unknown.
    """
    try:
        import submitit
    except ImportError as error:
        raise ConfigError('submitit is not installed; get it by: pip install "frozenseg[slurm]"') from error
    if arguments.cluster == "slurm" and submitit.SlurmExecutor.affinity() <= 0:
        raise ConfigError("There is no SLURM here (no srun): run this on a login node, or give --cluster local.")
    parameters = {
        "name": "frozenseg",
        "nodes": arguments.nodes,
        "gpus_per_node": arguments.gpus,
        "tasks_per_node": max(1, arguments.gpus),
        "cpus_per_task": arguments.cpus,
        "timeout_min": round(60 * arguments.hours),
        "slurm_signal_delay_s": arguments.grace,
        "slurm_partition": arguments.partition,
        "slurm_srun_args": ["--kill-on-bad-exit=1"],  # else the others would wait for a process that has failed
    }
    for setting in arguments.slurm:
        key, _, value = setting.partition("=")
        parameters[f"slurm_{key}"] = value
    made = submitit.AutoExecutor(folder, cluster=arguments.cluster, slurm_max_num_timeout=arguments.requeues)
    try:
        made.update_parameters(**parameters)
    except NameError as error:
        raise ConfigError(f"--slurm {' '.join(arguments.slurm)}: {error}") from error
    return made


def submit(argv: Sequence[str] | None = None) -> Any:
    """Put the job that a command line describes into the queue; returns submitit's job.

    Raises:
        FrozenSegError: a mistake that the user can mend.
    """
    arguments = job_parser().parse_args(argv)
    folder = checked_folder(arguments.train, arguments.nodes * max(1, arguments.gpus)) / "slurm"
    from frozenseg.engine.slurm import TrainingJob

    job = executor(arguments, folder).submit(TrainingJob(arguments.train))
    print(f"Job {job.job_id}; what it says lies in {folder}")
    return job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    try:
        submit(argv)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
