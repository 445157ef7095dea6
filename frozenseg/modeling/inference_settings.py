"""Settings of one inference call: the vocabulary, the requested outputs and the ensemble with the frozen models."""

from dataclasses import dataclass
from typing import NamedTuple

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.ensemble.geometric import EnsembleWeights
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.vocabulary import Vocabulary


class EnsembleSettings(NamedTuple):
    """Use of CLIP's class scores and of the SAM proposals at inference."""

    weights: EnsembleWeights
    on_valid_mask: bool  # use CLIP's scores only for queries with a non-empty mask
    proposals: ProposalEnsemble | None = None  # the SAM proposals vote; None without them

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "EnsembleSettings":
        """Build from the CLIP section and the keys of TEST about SAM proposals."""
        section = cfg.MODEL.CLIP
        weights = EnsembleWeights(
            section.GEOMETRIC_ENSEMBLE_ALPHA,
            section.GEOMETRIC_ENSEMBLE_BETA,
            section.GEOMETRIC_ENSEMBLE_VOID_DISCOUNT,
        )
        return cls(weights, section.ENSEMBLE_ON_VALID_MASK, ProposalEnsemble.from_config(cfg))


@dataclass(frozen=True)
class InferenceSettings:
    """Everything in which two inference calls of the same weights may differ.

    Immutable, and passed through ``forward`` explicitly, so that threads with different vocabularies can share a model.

    Attributes:
        vocabulary: the C classes to segment.
        seen: one flag a class, True if the class counts as seen in training.
        postprocessor: the requested outputs and their thresholds.
        ensemble: use of CLIP's class scores and of the SAM proposals.
        negatives: number of classes at the end of the vocabulary that compete with the others and are in no output:
            their pixels have no label.
        background: indices of classes that are treated like negatives.
        negative_weight: prior odds of the negatives against the other classes; below 1 they must be that much likelier.
        min_evidence: classes whose best mask has a smaller class probability are absent: they are in no output, and
            their pixels have no label.

    Raises:
        ConfigError: the number of flags is not C, or all classes are negatives.
    """

    vocabulary: Vocabulary
    seen: tuple[bool, ...]
    postprocessor: Postprocessor
    ensemble: EnsembleSettings
    negatives: int = 0
    background: tuple[int, ...] = ()
    negative_weight: float = 1.0
    min_evidence: float = 0.0

    def __post_init__(self) -> None:
        """Check that there is one flag for each class."""
        if len(self.seen) != len(self.vocabulary):
            raise ConfigError(
                f"The vocabulary has {len(self.vocabulary)} classes, but there are {len(self.seen)} flags of seen "
                "classes: pass one flag for each class."
            )
        if not 0 <= self.negatives < len(self.vocabulary):
            raise ConfigError(
                f"{self.negatives} of the {len(self.vocabulary)} classes of the vocabulary are negatives, expected "
                "fewer: add a class to segment."
            )

    @property
    def requested(self) -> Vocabulary:
        """The vocabulary without its negatives."""
        count = len(self.vocabulary) - self.negatives
        if count == len(self.vocabulary):
            return self.vocabulary
        return Vocabulary(self.vocabulary.classes[:count], self.vocabulary.isthing[:count])

    @property
    def hides_classes(self) -> bool:
        """True if classes may be kept out of the outputs, as negatives or because they are absent."""
        return self.negatives > 0 or len(self.background) > 0 or self.min_evidence > 0

    @property
    def uses_proposals(self) -> bool:
        """True if SAM proposals are switched on and change a requested output: they vote for unseen classes only."""
        matters = not all(self.seen) or self.postprocessor.recall
        return self.ensemble.proposals is not None and self.postprocessor.uses_proposals and matters
