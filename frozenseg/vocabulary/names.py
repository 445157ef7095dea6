"""Normal form of class names, in which spellings of one name are equal: ``Traffic_Light`` and ``traffic light``."""

import re
import unicodedata

_SPACES = re.compile(r"[\s_]+")
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad]")  # zero-width space, word joiner, byte order mark, soft hyphen
_NO_LETTERS = re.compile(r"[\W_]+")
_PANOPTIC_ENDINGS = ("merged", "other", "stuff")  # of COCO's panoptic names: wall-other-merged


def normal_name(name: str) -> str:
    """Return a name in lower case, with one space for underscores and other space, without invisible characters.

    CLIP's tokenizer reads lower case only, so that capitals do not change the text embedding.
    """
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFC", name))
    return _SPACES.sub(" ", visible).strip().lower()


def letters_of(name: str) -> str:
    """Return the letters and digits of a name in lower case, to compare spellings of benchmarks.

    Endings of COCO's panoptic names are left out: ``wall-other-merged`` becomes ``wall``.
    """
    parts = normal_name(name).split("-")
    while len(parts) > 1 and parts[-1] in _PANOPTIC_ENDINGS:
        parts.pop()
    return _NO_LETTERS.sub("", "".join(parts)) or name.strip()
