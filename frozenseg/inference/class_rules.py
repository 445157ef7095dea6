"""Rules of the segmenter about classes that an image may not have: negatives, background and absent classes.

Evaluation has none of them, as benchmarks assign every mask and pixel to one of their classes.
"""

from dataclasses import dataclass, replace

from frozenseg.config import CfgNode
from frozenseg.errors import DataError
from frozenseg.inference.named_vocabularies import LARGE, named_vocabulary, union_of_vocabularies
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.modeling.pretrained import CLIP_WEIGHTS, packaged_encoder
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.line import split_names
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
        auto_evidence: evidence from which the vocabulary ``auto`` uses the best name of a mask.
        auto_image_weight: weight of the evidence of the whole image beside that of the mask for ``auto``, 0-1.
        auto_names: named vocabularies whose union is ``auto``.
    """

    negatives: Vocabulary | None = None
    negatives_up_to: int = 0
    negative_weight: float = 0.3
    min_evidence: float = 0.0
    background: tuple[str, ...] = ("background", "other")
    auto_evidence: float = 0.25
    auto_image_weight: float = 0.5
    auto_names: tuple[str, ...] = LARGE

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "ClassRules":
        """Build from the keys of ``PREDICT``."""
        keys = cfg.PREDICT
        clip = packaged_encoder(CLIP_WEIGHTS, cfg.MODEL.CLIP.CLIP_MODEL_NAME)
        usual_classes, known_names = ("", "") if clip is None else (clip.usual_classes, clip.known_names)
        return cls(
            negatives=negative_classes(keys.NEGATIVE_NAMES or usual_classes),
            negatives_up_to=keys.NEGATIVES_UP_TO,
            negative_weight=keys.NEGATIVE_WEIGHT,
            min_evidence=keys.MIN_EVIDENCE,
            background=tuple(normal_name(name) for name in split_names(keys.BACKGROUND_NAMES, ";")),
            auto_evidence=keys.AUTO_EVIDENCE,
            auto_image_weight=keys.AUTO_IMAGE_WEIGHT,
            auto_names=split_names(keys.AUTO_NAMES or known_names, ";") or LARGE,
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


def negative_classes(names: str) -> Vocabulary:
    """Return the negatives of a config.

    Args:
        names: class names such as ``person; wall,fence``, the name of a benchmark, or empty for common classes.

    Raises:
        DataError: a benchmark is misspelt, or a class has no name.
    """
    if not names.strip():
        return Vocabulary.from_strings([" ".join(text.split()) for text in COMMON_CLASSES.split(";")])
    benchmark = named_vocabulary(names)
    return Vocabulary.parse(names) if benchmark is None else union_of_vocabularies((names.strip(),))


def _related(negative: tuple[str, ...], vocabulary: Vocabulary) -> bool:
    """Return True if a negative may be a class of a vocabulary: all words of one of their names are in the other.

    ``star`` is related to ``red star``, and so is ``sports car`` to ``car``.
    """
    theirs = [_words_of(name) for name in vocabulary.synonyms]
    ours = [_words_of(name) for name in negative]
    return any(a <= b or b <= a for a in ours for b in theirs)


def _words_of(name: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in normal_name(name).split())
