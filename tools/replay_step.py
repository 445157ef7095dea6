"""Run a training step with a non-finite loss or gradient again, and name the module in which it began.

After SOLVER.MAX_BAD_STEPS such steps in a row, training stops and writes the last one to OUTPUT_DIR/bad_steps: weights,
images with ground truth, random states and config. This script repeats that step and prints the first module with a
non-finite output in the forward pass, and the first with a non-finite output gradient in the backward pass.

Examples:
  name the module:
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth

  check whether it also happens in float32:
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth SOLVER.AMP.ENABLED False

  run on the CPU:
    python tools/replay_step.py output/run/bad_steps/step_0001234_rank0.pth MODEL.DEVICE cpu
"""

from collections.abc import Sequence

from frozenseg.cli.command_line import docstring_parser, run_script


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    parser = docstring_parser(__doc__)
    parser.add_argument("dump", help="file from the folder bad_steps of a run")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="config overrides")
    arguments = parser.parse_args(argv)
    return run_script(lambda: replay_and_report(arguments.dump, arguments.opts))


def replay_and_report(dump: str, opts: Sequence[str]) -> None:
    """Repeat the step and print its losses and the modules in which it became non-finite."""
    from frozenseg.engine.offline.replay import replay  # not needed for --help, and slow to import

    report = replay(dump, list(opts))
    print(f"step {report.iteration}, in {report.precision}, images {', '.join(report.images)}")
    width = max(map(len, report.losses))
    print(f"  {'':{width}}  {'in the run':>10}  {'now':>10}")
    for name, value in report.losses.items():
        print(f"  {name:{width}}  {report.losses_before.get(name, float('nan')):10.4g}  {value:10.4g}")
    if report.weights:
        print(f"first weight that is not finite: {report.weights}")
    if report.output:
        inputs = "its inputs are finite" if report.inputs_finite else "its inputs are not finite either"
        print(f"first module whose output is not finite: {report.output} ({inputs})")
    if report.gradient:
        print(f"in the backward pass, first module with an output gradient that is not finite: {report.gradient}")
    if report.finite:
        print("everything is finite this time: the cause may be another device or precision than in the run")


if __name__ == "__main__":
    raise SystemExit(main())
