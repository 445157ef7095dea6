"""Categories of ToyWorld: names, ids and tiers."""

import pytest

from frozenseg.toyworld.categories import FIRST_STUFF_ID, SEEN, UNSEEN_TIERS, Category, all_categories, seen_categories


def words_of(categories: list[Category]) -> set[str]:
    return {word for category in categories for word in category.parts.values() if word}


def of_tier(tier: str) -> list[Category]:
    return [category for category in all_categories() if category.tier == tier]


def test_every_tier_has_categories_and_no_other_exists():
    assert {category.tier for category in all_categories()} == {SEEN, *UNSEEN_TIERS}
    assert list(seen_categories()) == of_tier(SEEN)


def test_ids_and_all_names_are_distinct():
    categories = all_categories()
    names = [name for category in categories for name in category.names]
    assert len({category.id for category in categories}) == len(categories)
    assert len(set(names)) == len(names)


def test_things_come_first_and_ids_have_a_gap():
    things = [category.id for category in all_categories() if category.isthing]
    stuff = [category.id for category in all_categories() if not category.isthing]
    assert things == list(range(1, len(things) + 1))
    assert stuff == list(range(FIRST_STUFF_ID, FIRST_STUFF_ID + len(stuff)))
    assert max(things) < FIRST_STUFF_ID


def test_names_are_made_of_their_parts():
    striped = next(category for category in all_categories() if category.name == "striped blue star")
    assert striped.parts == {"colour": "blue", "pattern": "striped", "shape": "star"}
    plain = next(category for category in all_categories() if category.name == "red circle")
    assert plain.parts == {"colour": "red", "pattern": "", "shape": "circle"}


def test_combination_tier_recombines_seen_words():
    assert words_of(of_tier("combination")) <= words_of(of_tier(SEEN))


@pytest.mark.parametrize("category", of_tier("word"), ids=lambda category: category.name)
def test_word_tier_has_a_word_that_training_lacks(category):
    assert words_of([category]) - words_of(of_tier(SEEN))


def test_material_tier_is_stuff_that_training_lacks():
    assert not any(category.isthing for category in of_tier("material"))
    assert not words_of(of_tier("material")) & words_of(of_tier(SEEN))


def test_every_seen_word_is_shown_with_more_than_one_other():
    """A colour or shape with a single partner could not be distinguished from it."""
    things = [category.parts for category in seen_categories() if category.isthing]
    for part, other in (("colour", "shape"), ("shape", "colour"), ("pattern", "colour"), ("pattern", "shape")):
        for word in {parts[part] for parts in things}:
            assert len({parts[other] for parts in things if parts[part] == word}) >= 2, word


def test_drawing_colours_are_distinct_bytes():
    colours = [category.rgb for category in all_categories()]
    assert len(set(colours)) == len(colours)
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)
