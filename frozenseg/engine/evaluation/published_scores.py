"""Published scores of the model zoo in the form of our reports."""

from frozenseg.evaluation.published import PublishedScore
from frozenseg.modeling.model_zoo.weights import ZooScore, zoo_benchmarks, zoo_models


def published_results() -> tuple[PublishedScore, ...]:
    """Return all published scores of the model zoo."""
    benchmarks = zoo_benchmarks()
    return tuple(
        PublishedScore(
            model.title, _source(score), benchmarks[score.benchmark].dataset, score.task, score.metric, score.value
        )
        for model in zoo_models()
        for score in model.scores
    )


def _source(score: ZooScore) -> str:
    return f"{score.source}, SAM masks" if score.sam_masks else score.source
