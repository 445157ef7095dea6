"""Type aliases of evaluation: scores of tasks, benchmarks and classes, all in percent."""

from collections.abc import Mapping

TaskResults = dict[str, dict[str, float]]  # {task: {metric: percent}}
BenchmarkResults = Mapping[str, Mapping[str, Mapping[str, float]]]  # {benchmark: {task: {metric: percent}}}
PerClassResults = dict[str, dict[str, float]]  # {metric: {class name: percent}}
ImageContributions = dict[str, object]  # {evaluator class: contribution of one image}, all JSON
