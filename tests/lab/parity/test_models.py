"""What of a golden's config the model is built with."""

import json

import pytest

from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from lab.parity.models import config_of
from tests.tiny import ROOT


@pytest.mark.parametrize("asked", [True, False])
def test_sam_is_not_asked_for_masks_of_its_own(asked: bool) -> None:
    """A golden brings its masks; a second embedding would be recorded in the place of the model's."""
    metadata = json.loads((ROOT / "tests/data/parity/tiny_frozenseg.json").read_text(encoding="utf-8"))
    metadata["config"]["TEST"]["USE_SAM_MASKS"] = asked
    assert ProposalEnsemble.from_config(config_of(metadata)) is None
