"""What the parity tests share."""

import pytest

from tests.lab.parity.formulas.torch_side import single_thread

one_thread = pytest.fixture(autouse=True)(single_thread)
