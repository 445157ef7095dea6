"""Bounds of every key: values below, at and above them, by every way in which a config is read."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from frozenseg.config import config_from_text, config_names, get_cfg, load_config, with_protocol
from frozenseg.config.bounds import (
    MAX_LIST,
    MAX_TEXT,
    NESTED_LISTS,
    Choices,
    Lists,
    Numbers,
    Switch,
    Text,
    above,
    between,
)
from frozenseg.config.defaults import KEY_BY_NAME, KEYS, Key
from frozenseg.config.relations import RELATIONS
from frozenseg.errors import ConfigError

NUMBERS = [key for key in KEYS if isinstance(key.bounds, Numbers)]
CHOICES = [key for key in KEYS if isinstance(key.bounds, Choices)]
TEXTS = [key for key in KEYS if isinstance(key.bounds, Text)]
LISTS = [key for key in KEYS if isinstance(key.bounds, Lists)]
# keys that another key limits, with the value that the other one needs to be no limit
PARTNERS: dict[str, list[Any]] = {
    "INPUT.MIN_SCALE": ["INPUT.MAX_SCALE", 100],
    "INPUT.MAX_SCALE": ["INPUT.MIN_SCALE", 0.001],
    "INPUT.MIN_SIZE_TEST": ["INPUT.MAX_SIZE_TEST", 65_536],
    "INPUT.MAX_SIZE_TEST": ["INPUT.MIN_SIZE_TEST", 1],
    "SOLVER.BASE_LR_END": ["SOLVER.BASE_LR", 1_000],
    "MODEL.MASK_FORMER.HIDDEN_DIM": ["MODEL.MASK_FORMER.NHEADS", 4],
    "MODEL.MASK_FORMER.NHEADS": ["MODEL.MASK_FORMER.HIDDEN_DIM", 16_384],
    "MODEL.SEM_SEG_HEAD.CONVS_DIM": ["MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", 4],
    "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS": ["MODEL.SEM_SEG_HEAD.CONVS_DIM", 16_384],
}


def names(keys: list[Key]) -> Any:
    return pytest.mark.parametrize("key", keys, ids=[key.name for key in keys])


def read(key: Key, value: Any) -> Any:
    """Return the value of a key after it is set on a command line."""
    cfg = get_cfg()
    cfg.merge_from_list([*PARTNERS.get(key.name, ()), key.name, value])
    cfg.freeze()
    for part in key.name.split("."):
        cfg = cfg[part]
    return cfg


def refuse(key: Key, value: Any) -> str:
    """Return the message with which a value is refused."""
    with pytest.raises(ConfigError, match=rf"^command line: {key.name} is .*, expected ") as error:
        read(key, value)
    assert "\n" not in str(error.value)
    return str(error.value)


def inside(bounds: Numbers) -> list[float]:
    """Return the ends of bounds and the nearest numbers inside."""
    if bounds.integer:
        return [bounds.low, bounds.high]
    low = math.nextafter(bounds.low, math.inf)
    return [low, bounds.high] if bounds.exclusive else [bounds.low, low, bounds.high]


def outside(bounds: Numbers) -> list[float]:
    """Return the nearest numbers outside of bounds, and far ones."""
    numbers: list[float] = [bounds.low - 1, bounds.high + 1]
    if bounds.integer:
        return [*numbers, -(10**30), 10**30, *([bounds.low + 1] if bounds.multiple > 1 else [])]
    numbers += [bounds.low if bounds.exclusive else math.nextafter(bounds.low, -math.inf)]
    numbers += [math.nextafter(bounds.high, math.inf), math.nan, -math.inf]
    return numbers if bounds.infinite else [*numbers, math.inf]


def test_every_key_declares_its_bounds() -> None:
    kinds = {bool: Switch, int: (Numbers, Choices), float: Numbers, str: (Choices, Text), list: Lists}
    for key in KEYS:
        assert isinstance(key.bounds, kinds[type(key.default)]), key.name
        assert key.bounds.accept(key.default), key.name
        if isinstance(key.bounds, Numbers):
            assert key.bounds.integer == (type(key.default) is int), key.name
            assert key.bounds.low < key.bounds.high < math.inf, key.name


@names(NUMBERS)
def test_numbers_at_and_outside_their_bounds(key: Key) -> None:
    assert isinstance(key.bounds, Numbers)
    for number in inside(key.bounds):
        assert read(key, number) == number
    for number in outside(key.bounds):
        message = refuse(key, number)
        assert str(key.bounds.low) in message
        assert str(key.bounds.high) in message
        assert key.bounds.unit in message
    for other in (str(key.default), str(inside(key.bounds)[0])):  # as a shell gives them
        assert type(read(key, other)) is type(key.default)
    for other_type in (True, None, "many", [1]):
        assert "expected a" in refuse(key, other_type)


@names(CHOICES)
def test_only_the_choices_are_accepted(key: Key) -> None:
    assert isinstance(key.bounds, Choices)
    for value in key.bounds.values:
        assert read(key, value) == value
    refuse(key, 10**6 if type(key.default) is int else f"{key.default}s")


@names(TEXTS)
def test_free_text_has_no_control_characters(key: Key) -> None:
    for text in ("", "a name with spaces", "C:\\new\\x", "Straße/猫", "x" * MAX_TEXT):
        assert read(key, text) == text
    for text in ("a\0b", "a\nb", "a\tb", "a\x1bb", "a\u2028b", "x" * (MAX_TEXT + 1)):
        assert "characters" in refuse(key, text)


@names(LISTS)
def test_lists_have_bounded_elements_and_lengths(key: Key) -> None:
    bounds = key.bounds
    assert isinstance(bounds, Lists)
    element: Any = key.default[0] if key.default else "name"
    if bounds == NESTED_LISTS:
        element = ["sem_seg", "mIoU", 30.0, 0.1]
    ascending = list(range(1, 1 + min(bounds.longest, 5)))
    assert read(key, ascending if bounds.ascending else [element] * bounds.longest)
    assert len(read(key, ascending[: bounds.shortest] if bounds.ascending else [element] * bounds.shortest)) == (
        bounds.shortest
    )
    refuse(key, [element] * (bounds.longest + 1))
    if bounds.shortest:
        refuse(key, [element] * (bounds.shortest - 1))
    if bounds.ascending:
        refuse(key, [2, 2])
        refuse(key, [2, 1])
    if isinstance(bounds.elements, Numbers):
        for number in outside(bounds.elements):
            refuse(key, [*([element] * (bounds.shortest - 1)), number])
    elif bounds.elements is not None:
        refuse(key, ["a\0b"])
    assert "expected a list" in refuse(key, "name")


@given(number=st.floats(allow_nan=True, allow_infinity=True))
def test_numbers_are_inside_or_refused(number: float) -> None:
    assert between(-1, 2.5).accept(number) == (-1 <= number <= 2.5)
    assert above(0, 4).accept(number) == (0 < number <= 4)
    assert Numbers(1, 10, infinite=True).accept(number) == (1 <= number <= 10 or number == math.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["INPUT.MIN_SIZE_TEST", 2000],
            r"INPUT.MIN_SIZE_TEST is 2000 \(command line\) and INPUT.MAX_SIZE_TEST is 1333 \(default\), expected at",
        ),
        (["INPUT.MAX_SCALE", 0.05], r"INPUT.MIN_SCALE is 0.1 \(default\) and INPUT.MAX_SCALE is 0.05 \(command line\)"),
        (["SOLVER.BASE_LR_END", 1.0], "SOLVER.BASE_LR_END is 1.0 .* expected at most BASE_LR"),
        (["MODEL.MASK_FORMER.NHEADS", 7], r"HIDDEN_DIM is 256 \(default\) and .*NHEADS is 7 .* a multiple of NHEADS"),
        (["MODEL.SEM_SEG_HEAD.CONVS_DIM", 252], "CONVS_DIM is 252 .*N_HEADS is 8 .* a multiple of N_HEADS"),
    ],
)
def test_keys_that_contradict_each_other(options: list[Any], message: str) -> None:
    cfg = get_cfg()
    with pytest.raises(ConfigError, match=message):
        cfg.merge_from_list(options)
    assert cfg == get_cfg()


def test_equal_ends_do_not_contradict() -> None:
    for first, second, holds, _ in RELATIONS:
        assert holds(KEY_BY_NAME[first].default, KEY_BY_NAME[second].default)
        assert holds(8, 8)


def test_assigned_values_are_checked_at_once_and_their_relations_when_the_config_is_frozen() -> None:
    cfg = get_cfg()
    with pytest.raises(ConfigError, match="assignment: INPUT.IMAGE_SIZE is 0, expected a whole number from 1 to"):
        cfg.INPUT.IMAGE_SIZE = 0
    cfg.INPUT.MIN_SIZE_TEST = 2000  # two assignments may contradict each other in between
    with pytest.raises(ConfigError, match=r"INPUT.MIN_SIZE_TEST is 2000 \(assignment\)"):
        cfg.freeze()
    cfg.INPUT.MAX_SIZE_TEST = 2000
    cfg.SOLVER.STEPS.append(-1)
    with pytest.raises(ConfigError, match="SOLVER.STEPS is .*-1], expected a list of .* in ascending order"):
        cfg.freeze()
    cfg.SOLVER.STEPS.pop()
    cfg.freeze()
    assert cfg.is_frozen()


WRONG = "MODEL: {MASK_FORMER: {TEST: {OVERLAP_THRESHOLD: 5}}}\n"
WAYS: dict[str, Callable[[Path], Any]] = {
    "load_config": lambda path: load_config(path),
    "config_from_text": lambda path: config_from_text(path.read_text(), str(path)),
    "merge_from_file": lambda path: get_cfg().merge_from_file(path),
    "with_protocol": lambda path: with_protocol(get_cfg(), path),
    "merge_from_other_cfg": lambda path: get_cfg().merge_from_other_cfg(yaml.safe_load(path.read_text())),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_reading_checks_and_names_the_origin(way: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(WRONG)
    origin = "merged config" if way == "merge_from_other_cfg" else str(path)
    message = f"^{origin}: MODEL.MASK_FORMER.TEST.OVERLAP_THRESHOLD is 5.0, expected a number from 0 to 1; the default"
    with pytest.raises(ConfigError, match=message):
        WAYS[way](path)


@pytest.mark.parametrize("name", config_names())
def test_shipped_configs_are_inside_all_bounds(name: str) -> None:
    cfg = load_config(name)
    assert load_config(name, [item for pair in cfg.select("output", "cost").items() for item in pair]) == cfg


@pytest.mark.parametrize(
    "text",
    ["SEED: 2020-13-45\n", "SEED: &a [*a]\n", "A: &a {B: *a}\n", "SEED: " + "[" * 10**6, "SEED: 0x" + "f" * 20_000],
    ids=["impossible date", "a list in itself", "a section in itself", "deep", "long number"],
)
def test_yaml_that_python_cannot_hold(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        config_from_text(text, "here.yaml")
    assert str(error.value).startswith("here.yaml")
    assert len(str(error.value)) < 600


def test_aliases_that_multiply_values_are_refused() -> None:
    lines = ["SEED: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"K{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(ConfigError, match="here.yaml has more than 100000 values or 50 levels"):
        config_from_text("\n".join(lines), "here.yaml")


ODD_VALUES = ["9" * 5000, "0x" + "f" * 9000, "1e999", "[" * 50, "[" * 10**6, "2020-13-45", "{[]: 1}", MAX_LIST]


@pytest.mark.parametrize("value", ODD_VALUES, ids=range(len(ODD_VALUES)))
def test_odd_values_on_a_command_line(value: Any) -> None:
    with pytest.raises(ConfigError, match="^command line: SOLVER.BASE_LR is ") as error:
        get_cfg().merge_from_list(["SOLVER.BASE_LR", value])
    assert len(str(error.value)) < 400
