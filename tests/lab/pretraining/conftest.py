"""A few scenes, painted once."""

import pytest

from lab.pretraining.scene_pool import ScenePool, render_pool


@pytest.fixture(scope="session")
def pool() -> ScenePool:
    return render_pool(seed=3, count=12)
