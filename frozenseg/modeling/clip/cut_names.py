"""Warning about class names that are longer than CLIP's 77 tokens, the rest of which the model does not read."""

from frozenseg.log import get_logger, warn_once
from frozenseg.modeling.clip.base import Tokenizer
from frozenseg.vocabulary import TEMPLATES, Vocabulary
from frozenseg.vocabulary.name_checks import shown_examples

logger = get_logger(__name__)
SHORT = 40  # bytes; a name has at most one token a byte, and the sentences around it fill the rest
_SHOWN = 3  # names in a warning


def warn_of_cut_names(tokenizer: Tokenizer, vocabulary: Vocabulary) -> None:
    """Log one warning with the names that are cut, and with those that are equal after it; once for the same names.

    Args:
        tokenizer: of CLIP's text encoder.
        vocabulary: class names.
    """
    notes = cut_name_notes(tokenizer, vocabulary)
    if notes:
        warn_once(logger, "CLIP reads 77 tokens of a sentence: %s. Shorten the names.", "; ".join(notes))


def cut_name_notes(tokenizer: Tokenizer, vocabulary: Vocabulary) -> list[str]:
    """Return a note for the names that are cut, and one for names that no prompt distinguishes."""
    classes = {name: index for index, names in reversed(list(enumerate(vocabulary.classes))) for name in names}
    long = [name for name in dict.fromkeys(vocabulary.synonyms) if len(name.encode(errors="replace")) > SHORT]
    prompts: dict[tuple[int, ...], list[str]] = {}
    cut = []
    for name in long:
        tokens, longer = (
            tokenizer([template.format(text) for template in TEMPLATES]) for text in (name, f"{name} photo")
        )
        if (tokens == longer).all(dim=-1).any():  # what follows the name changes nothing: its end is not read
            cut.append(name)
        prompts.setdefault(tuple(tokens.flatten().tolist()), []).append(name)
    alike = [names for names in prompts.values() if len({classes[name] for name in names}) > 1]
    notes = []
    if cut:
        notes.append(f"the end of {len(cut)} of {len(vocabulary.synonyms)} names is not read, {shown_examples(cut)}")
    if alike:
        pairs = [f"{classes[names[0]] + 1} and {classes[names[-1]] + 1}" for names in alike[:_SHOWN]]
        notes.append(f"classes {', '.join(pairs)} are the same to the model, as the names differ behind it only")
    return notes
