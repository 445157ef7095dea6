"""Rules of the segmenter about classes that an image may not have: negatives, background and absent classes.

Evaluation has none of them, as benchmarks assign every mask and pixel to one of their classes.
"""

from dataclasses import dataclass, replace

from frozenseg.config import CfgNode
from frozenseg.errors import DataError
from frozenseg.inference.named_vocabularies import TOYWORLD_NAMES, union_of_vocabularies
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.pretrained import TOYWORLD_CLIP
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.names import normal_name

# Broad names, so that a specific class of the user is likelier on its objects. Synonyms are not encoded: a class of the
# user that shares one excludes the negative.
COMMON_CLASSES = """
    person,people,man,woman,child,boy,girl,human; animal,dog,cat,horse,cow,sheep,mammal,pet; bird; fish; insect;
    car,vehicle,automobile,taxi,van; truck,bus,lorry; bicycle,bike,motorcycle; boat,ship; airplane,plane,aircraft;
    building,house,skyscraper; wall,brick wall; window; door; fence,railing; road,street,pavement,sidewalk; sky,cloud;
    tree,bush,plant; grass,lawn,field; flower; ground,soil,sand,dirt; mountain,hill,rock,stone; water,sea,river,lake;
    snow,ice; floor,carpet,rug; ceiling; furniture,chair,table,sofa,couch,desk,cabinet,shelf; bed,pillow,blanket;
    curtain,cloth,towel; clothes,shirt,trousers,dress,jacket; shoe,hat,bag; food,fruit,vegetable,bread,cake,meal;
    bottle,cup,glass,bowl,plate; lamp,light; screen,television,computer,laptop,keyboard,phone; book,paper,box;
    sign,pole,traffic light; toy,ball; tool,machine
"""


@dataclass(frozen=True)
class ClassRules:
    """Rules of a segmenter; the defaults switch all of them off but the background.

    Attributes:
        negatives: classes that compete with a small vocabulary; None for none.
        negatives_up_to: largest vocabulary that negatives compete with.
        negative_weight: prior odds of the negatives, 0-1.
        min_evidence: smallest class probability of the best mask of a class that is present, 0-1.
        background: normal names of classes that catch the rest; with one of them negatives always compete, with full
            weight.
        auto_evidence: class probability at which a mask's best name is used by the vocabulary ``auto``.
        is_toyworld: True for ToyWorld's CLIP, which knows the names of ToyWorld only.
    """

    negatives: Vocabulary | None = None
    negatives_up_to: int = 0
    negative_weight: float = 0.3
    min_evidence: float = 0.0
    background: tuple[str, ...] = ("background", "other")
    auto_evidence: float = 0.1
    is_toyworld: bool = False

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "ClassRules":
        """Build from the keys of ``PREDICT``."""
        keys = cfg.PREDICT
        is_toyworld = cfg.MODEL.CLIP.CLIP_MODEL_NAME == TOYWORLD_CLIP
        names = keys.NEGATIVE_NAMES
        negatives = Vocabulary.parse(names) if names.strip() else built_in_negatives(is_toyworld)
        background = tuple(normal_name(name) for name in keys.BACKGROUND_NAMES.split(";") if name.strip())
        return cls(
            negatives,
            keys.NEGATIVES_UP_TO,
            keys.NEGATIVE_WEIGHT,
            keys.MIN_EVIDENCE,
            background,
            keys.AUTO_EVIDENCE,
            is_toyworld,
        )

    def settings(self, model: SegmentationModel, vocabulary: Vocabulary) -> InferenceSettings:
        """Return the inference settings of a model for a vocabulary, with its negatives and its background.

        Raises:
            DataError: every class is a background.
        """
        background = tuple(
            index for index, names in enumerate(vocabulary.classes) if normal_name(names[0]) in self.background
        )
        if len(background) == len(vocabulary):
            raise DataError(
                f"The vocabulary has only {', '.join(map(repr, vocabulary.names))}, which catches the pixels of no "
                "other class: add a class to segment."
            )
        negatives: list[tuple[str, ...]] = []
        if self.negatives is not None and (background or len(vocabulary) <= self.negatives_up_to):
            negatives = [names[:1] for names in self.negatives.classes if not _related(names, vocabulary)]
        flags = (*vocabulary.isthing, *(False for _ in negatives))
        return replace(
            model.settings_for(Vocabulary((*vocabulary.classes, *negatives), flags) if negatives else vocabulary),
            negatives=len(negatives),
            background=background,
            negative_weight=1.0 if background or not negatives else self.negative_weight,
            min_evidence=self.min_evidence,
        )


def built_in_negatives(is_toyworld: bool) -> Vocabulary:
    """Return common classes, or those of ToyWorld for its CLIP, which knows no others."""
    if is_toyworld:
        return union_of_vocabularies((TOYWORLD_NAMES,))
    return Vocabulary.from_strings([" ".join(text.split()) for text in COMMON_CLASSES.split(";")])


def _related(negative: tuple[str, ...], vocabulary: Vocabulary) -> bool:
    """Return True if a negative may be a class of a vocabulary: all words of one of their names are in the other.

    ``star`` is related to ``red star``, and so is ``sports car`` to ``car``.
    """
    theirs = [_words_of(name) for name in vocabulary.synonyms]
    ours = [_words_of(name) for name in negative]
    return any(a <= b or b <= a for a in ours for b in theirs)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in normal_name(name).split())
