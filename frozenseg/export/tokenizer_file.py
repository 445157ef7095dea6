"""CLIP's tokenizer as a JSON file of the ``tokenizers`` package."""

from pathlib import Path
from typing import Any

from frozenseg.errors import ConfigError

# parts of words as in open_clip: a contraction, letters, a digit, or other characters
PARTS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
QUOTES = (("[\u2018\u2019]", "'"), ("[\u201c\u201d]", '"'))  # as ftfy, which open_clip uses, replaces them


def write_tokenizer(tokenizer: Any, path: Path) -> None:
    """Write the tokenizer of a CLIP model, with its start and end token and its limit of tokens.

    Args:
        tokenizer: ``open_clip.SimpleTokenizer``.
        path: the file.

    Raises:
        ConfigError: a tokenizer of another type.
    """
    import open_clip
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    if not isinstance(tokenizer, open_clip.SimpleTokenizer):
        raise ConfigError(
            f"The tokenizer is of type {type(tokenizer).__name__}, expected open_clip's SimpleTokenizer: export a "
            "model whose CLIP has it."
        )
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    written = Tokenizer(models.BPE(vocab=tokenizer.encoder, merges=merges, end_of_word_suffix="</w>"))
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    quotes = [normalizers.Replace(Regex(pattern), quote) for pattern, quote in QUOTES]
    written.normalizer = normalizers.Sequence(
        [normalizers.NFC(), *quotes, spaces, normalizers.Strip(), normalizers.Lowercase()]
    )
    written.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PARTS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    start, end = (tokenizer.decoder[number] for number in (tokenizer.sot_token_id, tokenizer.eot_token_id))
    written.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, tokenizer.sot_token_id), (end, tokenizer.eot_token_id)]
    )
    written.enable_truncation(tokenizer.context_length)
    written.save(str(path))
