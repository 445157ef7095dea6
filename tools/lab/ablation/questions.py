"""Questions of a study, fixed in a YAML file before its trainings.

A question compares an ablation with its partner by one metric on one benchmark, over seeds that both share. Its claim
says in which direction the metric is expected to change.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.config.yaml_files import settings_in
from frozenseg.errors import ConfigError, did_you_mean

HIGHER, LOWER = "higher", "lower"
CURVES = "curves"  # selects the learning curves like a question
FEWEST_SEEDS = 2  # a deviation over seeds needs two


class Rule(NamedTuple):
    """Rule for the verdicts.

    Attributes:
        level: of the intervals, such as 0.95.
        power: probability of a verdict for the smallest effect that the study can see, such as 0.8.
        resamples: bootstrap samples of the scenes.
        smallest: a claim is supported if the whole interval is above this effect in its direction, percent.
    """

    level: float
    power: float
    resamples: int
    smallest: float


class Cost(NamedTuple):
    """Seconds on one core, for the plan of a study without completed jobs."""

    step: float  # of training
    scene: float  # of an evaluation


class Question(NamedTuple):
    """One comparison."""

    name: str
    question: str
    claim: str
    arm: str  # name of an ablation
    partner: str  # name of the ablation that it is compared with
    expected: str  # HIGHER or LOWER: direction of the metric from partner to arm by the claim
    benchmark: str
    metric: str


class Curves(NamedTuple):
    """Learning curves: one training per arm and seed, evaluated after several numbers of steps."""

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    options: tuple[str, ...]  # KEY, VALUE, … of the trainings
    benchmark: str
    metric: str


@dataclass(frozen=True)
class Questions:
    """Content of a questions file.

    Attributes:
        path: the file.
        sha256: its hash.
        seeds: of the trainings.
        steps: of each training.
        scenes: images of each benchmark.
        options: ``KEY, VALUE, …`` overrides of all configs.
        rule: of the verdicts.
        cost: for the plan.
        questions: in the order in which they are answered.
        curves: None without learning curves.
    """

    path: Path
    sha256: str
    seeds: tuple[int, ...]
    steps: int
    scenes: int
    options: tuple[str, ...]
    rule: Rule
    cost: Cost
    questions: tuple[Question, ...]
    curves: Curves | None

    def with_seeds(self, seeds: Sequence[int]) -> "Questions":
        """Return the same questions with some of the seeds only.

        Args:
            seeds: at least two of the file's.

        Raises:
            ConfigError: another seed, or fewer than two.
        """
        others = sorted(set(seeds) - set(self.seeds))
        if others or len(set(seeds)) < FEWEST_SEEDS:
            raise ConfigError(
                f"--seeds is {' '.join(map(str, seeds))}: give at least {FEWEST_SEEDS} of the seeds in {self.path}, "
                f"{' '.join(map(str, self.seeds))}."
            )
        return replace(self, seeds=tuple(seed for seed in self.seeds if seed in seeds))

    def selected(self, names: Sequence[str]) -> tuple[Question, ...]:
        """Return the questions of some names, in the order of the file; all of them for no name.

        Args:
            names: of questions, or :data:`CURVES`.

        Raises:
            ConfigError: a name is unknown.
        """
        known = [question.name for question in self.questions] + [CURVES] * (self.curves is not None)
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                raise ConfigError(f"{self.path} has no question {name!r}.{hint} Available: {', '.join(known)}.")
        return tuple(question for question in self.questions if not names or question.name in names)


def read_questions(path: Path) -> Questions:
    """Read and check a questions file.

    Args:
        path: YAML file.

    Raises:
        ConfigError: the file is missing, or a value is missing, unknown or wrong.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The questions {path} cannot be read ({error}): give an existing YAML file.") from error
    tree = _Section.root(path, text)
    study, rule, cost = (tree.section(name) for name in ("study", "rule", "cost"))
    parsed = Questions(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        seeds=study.take("seeds", _seeds),
        steps=study.take("steps", _count),
        scenes=study.take("scenes", _count),
        options=study.take("options", _options),
        rule=Rule(
            rule.take("level", _share), rule.take("power", _share), rule.take("resamples", _count),
            rule.take("smallest", _effect),
        ),
        cost=Cost(cost.take("step", _seconds), cost.take("scene", _seconds)),
        questions=_read_all(tree.section("questions")),
        curves=_read_curves(tree.section(CURVES)) if tree.has(CURVES) else None,
    )  # fmt: skip
    for section in (tree, study, rule, cost):
        section.refuse_others()
    return parsed


def _read_all(section: "_Section") -> tuple[Question, ...]:
    questions = []
    for name in section.names():
        if name == CURVES:
            raise ConfigError(f"{section.path}: a question cannot have the name {CURVES!r}: choose another one.")
        entry = section.section(name)
        fields = {field: entry.take(field, _text) for field in Question._fields if field not in ("name", "expected")}
        questions.append(Question(name=name, expected=entry.take("expected", _direction), **fields))
        entry.refuse_others()
    section.refuse_others()
    return tuple(questions)


def _read_curves(section: "_Section") -> Curves:
    curves = Curves(
        arms=section.take("arms", _names),
        seeds=section.take("seeds", _whole_numbers),
        steps=section.take("steps", _increasing),
        options=section.take("options", _options),
        benchmark=section.take("benchmark", _text),
        metric=section.take("metric", _text),
    )
    section.refuse_others()
    return curves


class _Section:
    """Settings of one level of the file, each of which must be taken once."""

    def __init__(self, path: Path, prefix: str, settings: Mapping[str, Any]) -> None:
        self.path, self.prefix, self.settings = path, prefix, settings
        self._taken: set[str] = set()

    @classmethod
    def root(cls, path: Path, text: str) -> "_Section":
        return cls(path, "", {name: setting.value for name, setting in settings_in(text, str(path)).items()})

    def names(self) -> list[str]:
        """Return the names of this level, in the order of the file."""
        return list(dict.fromkeys(name.partition(".")[0] for name in self.settings))

    def has(self, name: str) -> bool:
        return name in self.names()

    def section(self, name: str) -> "_Section":
        self._taken.add(name)
        inner = {key.partition(".")[2]: value for key, value in self.settings.items() if key.startswith(f"{name}.")}
        if not inner:
            raise ConfigError(f"{self.path} has no section {self.prefix}{name} with values: add it.")
        return _Section(self.path, f"{self.prefix}{name}.", inner)

    def take(self, name: str, convert: Callable[[Any], Any]) -> Any:
        """Return a converted value; the converter raises ValueError with the expected kind of value."""
        self._taken.add(name)
        if name not in self.settings:
            raise ConfigError(f"{self.path} has no value {self.prefix}{name}: add it.")
        value = self.settings[name]
        try:
            return convert(value)
        except ValueError as error:
            raise ConfigError(f"{self.path}: {self.prefix}{name} is {value!r}, expected {error}.") from error

    def refuse_others(self) -> None:
        for name in self.names():
            if name not in self._taken:
                hint = did_you_mean(name, self._taken)
                raise ConfigError(f"{self.path}: {self.prefix}{name} is unknown.{hint}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(value: Any) -> int:
    if not _is_whole(value, 1):
        raise ValueError("a whole number from 1")
    return int(value)


def _whole_numbers(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(_is_whole(each, 0) for each in value):
        raise ValueError("a list of whole numbers from 0")
    if len(set(value)) < len(value):
        raise ValueError("a list in which every number is once")
    return tuple(value)


def _seeds(value: Any) -> tuple[int, ...]:
    seeds = _whole_numbers(value)
    if len(seeds) < FEWEST_SEEDS:
        raise ValueError(f"at least {FEWEST_SEEDS} seeds")
    return seeds


def _increasing(value: Any) -> tuple[int, ...]:
    steps = _whole_numbers(value)
    if list(steps) != sorted(steps) or steps[0] == 0:
        raise ValueError("a list of numbers from 1 in increasing order")
    return steps


def _share(value: Any) -> float:
    if not _is_number(value) or not 0.0 < value < 1.0:
        raise ValueError("a number between 0 and 1")
    return float(value)


def _effect(value: Any) -> float:
    if not _is_number(value) or not 0.0 <= value <= 100.0:
        raise ValueError("a number of percent from 0 to 100")
    return float(value)


def _seconds(value: Any) -> float:
    if not _is_number(value) or not 0.0 < value < 1e6:
        raise ValueError("a number of seconds above 0")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text")
    return " ".join(value.split())


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("a list of names")
    return tuple(map(_text, value))


def _direction(value: Any) -> str:
    if value not in (HIGHER, LOWER):
        raise ValueError(f"{HIGHER!r} or {LOWER!r}")
    return str(value)


def _options(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) % 2 or not all(isinstance(key, str) for key in value[::2]):
        raise ValueError("a list of keys, each followed by its value")
    return tuple(each if isinstance(each, str) else repr(each) for each in value)
