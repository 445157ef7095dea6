"""Runtime of an exported model: image and class names → panoptic map, instances and labels, without PyTorch.

It needs NumPy, onnxruntime, tokenizers and Pillow, and imports nothing else of frozenseg than ``runtime_outputs``:
``frozenseg export`` copies both files into the folder of the model. Results are those of ``Segmenter`` with
``sam_masks=False``.

Example::

    from runtime import OnnxSegmenter

    segmentation = OnnxSegmenter("exported")("photo.jpg", "cat,kitten; dog; grass", stuff=("grass",))
    print(segmentation.segments)

Letters: N synonyms of all classes, C classes, R negatives, Q queries, H×W the padded input, E the width of the text
embeddings.
"""

import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageOps

from frozenseg.export.runtime_outputs import ClassSelection, ModelOutputs, SegmentedImage, image_outputs

FORMAT, VERSION = "frozenseg-export", 2
MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
CPU = ("CPUExecutionProvider",)
PROMPTS_OF_BATCH = 128  # prompts that pass the text graph at once


class ExportedFileError(ValueError):
    """Folder of an exported model that is incomplete, damaged or of another version, or input that it cannot take."""


class EncodedVocabulary(NamedTuple):
    """A vocabulary as the image graph reads it."""

    text_embeddings: np.ndarray  # (N + 1, E) float32, void last
    class_index: np.ndarray  # (N + 1,) int64
    seen: np.ndarray  # (C + R,) bool, True for classes seen in training
    selection: ClassSelection


class OnnxSegmenter:
    """An exported model that segments images by class names.

    Args:
        folder: written by ``frozenseg export --format onnx``.
        providers: of onnxruntime, such as ``("CUDAExecutionProvider", "CPUExecutionProvider")``.
        threads: of onnxruntime; 0 for its default.

    Raises:
        ExportedFileError: the folder is incomplete, damaged or of another version.
    """

    def __init__(self, folder: str | Path, providers: Sequence[str] = CPU, threads: int = 0) -> None:
        self.folder, self._providers, self._threads = Path(folder), tuple(providers), threads
        self.manifest = read_manifest(self.folder)
        if self.manifest["kind"] != "onnx":
            raise ExportedFileError(f"{folder} holds a model of format {self.manifest['kind']!r}, expected 'onnx'.")
        check_hashes(self.folder, self.manifest)
        self._image = self._session("image.onnx")
        self._text: Any = None  # loaded for the first vocabulary that is not in the folder
        self._encoded: dict[Any, EncodedVocabulary] = {}

    def __call__(
        self, image: Any, vocabulary: str | Sequence[Sequence[str]] | None = None, stuff: Iterable[str] = ()
    ) -> SegmentedImage:
        """Segment an image.

        Args:
            image: path, PIL image, or array (height, width, 3) uint8 RGB.
            vocabulary: ``"cat,kitten; stuff: grass"``, or the synonyms of each class; None for the one in the folder.
            stuff: first names of the classes that cannot be counted.
        """
        rgb = _load(image)
        encoded = self.encode(vocabulary, stuff)
        inputs = graph_inputs(rgb, self.manifest["preprocessing"])
        names: list[str] = self.manifest["graphs"]["image"]["outputs"]
        fed = {**inputs, **dict(zip(encoded._fields[:3], encoded[:3], strict=True))}
        outputs: dict[str, Any] = dict(zip(names, self._image.run(names, fed), strict=True))
        model_outputs = ModelOutputs(
            outputs["class_probabilities"][0],
            outputs.get("semantic_probabilities", outputs["class_probabilities"])[0],
            outputs["masks"][0],
        )
        sizes = inputs["images"].shape[2:], tuple(inputs["sizes"][0].tolist()), (rgb.height, rgb.width)
        return image_outputs(model_outputs, encoded.selection, sizes, self.manifest["postprocessing"])

    def encode(self, vocabulary: str | Sequence[Sequence[str]] | None, stuff: Iterable[str] = ()) -> EncodedVocabulary:
        """Encode a vocabulary with its negatives; recently used ones are remembered."""
        if vocabulary is None:
            stored = self.manifest["vocabulary"]
            if stored is None:
                raise ExportedFileError(f"{self.folder} was exported without --words: pass a vocabulary, 'cat; dog'.")
            vocabulary = cast("list[list[str]]", stored["classes"])
            stuff = [names[0] for names, thing in zip(vocabulary, stored["isthing"], strict=True) if not thing]
        if isinstance(vocabulary, str):
            vocabulary, marked = _parsed(vocabulary)
            stuff = [*stuff, *marked]
        classes, no_things = tuple(map(tuple, vocabulary)), frozenset(stuff)
        if not classes or not all(name.strip() for names in classes for name in (names or ("",))):
            raise ExportedFileError(f"The vocabulary {vocabulary!r:.80} has a class without a name.")
        if unknown := no_things - {names[0] for names in classes}:
            raise ExportedFileError(f"Stuff classes that are not in the vocabulary: {', '.join(sorted(unknown))}.")
        key = (classes, no_things)
        if key not in self._encoded:
            self._encoded = dict(list(self._encoded.items())[-7:])
            self._encoded[key] = self._encode(classes, no_things)
        return self._encoded[key]

    def _encode(self, requested: tuple[tuple[str, ...], ...], stuff: frozenset[str]) -> EncodedVocabulary:
        rules = self.manifest["classes"]
        background = [index for index, names in enumerate(requested) if _normal(names[0]) in rules["background"]]
        if len(background) == len(requested):
            raise ExportedFileError("The vocabulary has only background classes: add a class to segment.")
        negatives: list[tuple[str, ...]] = []
        if rules["negatives"] and (background or len(requested) <= rules["negatives_up_to"]):
            negatives = [(names[0],) for names in rules["negatives"] if not _related(names, requested)]
        classes = (*requested, *negatives)
        known = set(rules["seen"])
        selection = ClassSelection(
            requested=len(requested),
            isthing=np.array([names[0] not in stuff for names in requested]),
            background=background,
            negative_weight=1.0 if background or not negatives else rules["negative_weight"],
            min_evidence=rules["min_evidence"],
        )
        return EncodedVocabulary(
            self._embeddings([name for names in classes for name in names]),
            np.array([index for index, names in enumerate(classes) for _ in names] + [len(classes)]),
            np.array([any(_normal(name) in known for name in names) for names in classes]),
            selection,
        )

    def _embeddings(self, names: Sequence[str]) -> np.ndarray:
        """Return the text embeddings of names, from the folder or by the text graph, and void's: (N + 1, E)."""
        with np.load(self.folder / "embeddings.npz", allow_pickle=False) as stored:
            void, known = stored["void"], dict(zip(stored["names"].tolist(), stored["embeddings"], strict=True))
        missing = [name for name in dict.fromkeys(names) if name not in known]
        if missing:
            known |= dict(zip(missing, self._encode_names(missing), strict=True))
        return np.concatenate([np.stack([known[name] for name in names]), void]).astype(np.float32)

    def _encode_names(self, names: Sequence[str]) -> np.ndarray:
        """Return the normalised mean of the embeddings of all prompts of each name, (N, E)."""
        from tokenizers import Tokenizer

        self._text = self._text or self._session("text.onnx")
        tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        templates = self.manifest["templates"]
        tokenizer.enable_padding(pad_id=0)
        prompts = [html.unescape(html.unescape(each.format(name))) for name in names for each in templates]
        rows = []
        for start in range(0, len(prompts), PROMPTS_OF_BATCH):
            encodings = tokenizer.encode_batch(prompts[start : start + PROMPTS_OF_BATCH])
            tokens = np.array([each.ids for each in encodings], dtype=np.int64)
            ends = np.array([sum(each.attention_mask) - 1 for each in encodings], dtype=np.int64)
            rows += self._text.run(["embeddings"], {"tokens": tokens, "ends": ends})
        mean = np.concatenate(rows).reshape(len(names), len(templates), -1).mean(axis=1)
        embeddings_of_names: np.ndarray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return embeddings_of_names

    def _session(self, name: str) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = self._threads, 3
        try:
            return onnxruntime.InferenceSession(str(self.folder / name), options, list(self._providers))
        except Exception as error:  # noqa: BLE001 (onnxruntime's exceptions have no common base)
            reason = str(error).splitlines()[0]
            raise ExportedFileError(f"{self.folder / name} cannot be loaded ({reason}): export again.") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of an exported model, whose files have the sizes that it states.

    Raises:
        ExportedFileError: the folder is incomplete, damaged or of another version.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        manifest: dict[str, Any] = json.loads(content)
        kind, version = manifest["format"], manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportedFileError(
            f"{path} cannot be read ({type(error).__name__}): name a folder that `frozenseg export` has written."
        ) from error
    if (kind, version) != (FORMAT, VERSION):
        raise ExportedFileError(
            f"{path} has version {version!r} of format {kind!r}, expected version {VERSION} of {FORMAT!r}: export "
            "again with this version of frozenseg."
        )
    stated = folder / MANIFEST_HASH
    expected = [hashlib.sha256(content).hexdigest().encode(), MANIFEST.encode()]
    if not stated.is_file() or stated.read_bytes().split() != expected:
        raise ExportedFileError(f"{path} has not the SHA-256 that {stated.name} states: copy the whole folder again.")
    for name, entry in _data_files(manifest):
        actual, size = (folder / name).stat().st_size if (folder / name).is_file() else None, entry["bytes"]
        if actual != size:
            received = "is missing" if actual is None else f"has {actual} bytes"
            raise ExportedFileError(f"{folder / name} {received}, expected {size} bytes: copy the whole folder again.")
    return manifest


def check_hashes(folder: Path, manifest: dict[str, Any]) -> None:
    """Check that the files of an exported model have the hashes that its manifest states.

    Raises:
        ExportedFileError: a file is damaged.
    """
    for name, entry in _data_files(manifest):
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
        if digest.hexdigest() != entry["sha256"]:
            raise ExportedFileError(f"{folder / name} has not the SHA-256 of {MANIFEST}: copy the whole folder again.")


def _data_files(manifest: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Return name, size and hash of all files but this code, which may be changed."""
    return [(name, entry) for name, entry in manifest["files"].items() if not name.endswith(".py")]


def graph_inputs(rgb: Image.Image, preprocessing: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return an image as input of the image graph, resized and padded.

    Args:
        rgb: upright RGB image.
        preprocessing: of the manifest.

    Returns:
        ``images`` (1, 3, H, W) uint8, and ``sizes`` (1, 2) int64, the height and width before padding.
    """
    height, width = _fitted((rgb.height, rgb.width), preprocessing)
    resized = rgb if rgb.size == (width, height) else rgb.resize((width, height), Image.Resampling.BILINEAR)
    step = preprocessing["divisibility"]
    padded_height, padded_width = preprocessing["size"] or (-(-height // step) * step, -(-width // step) * step)
    images = np.zeros((1, 3, padded_height, padded_width), dtype=np.uint8)
    images[0, :, :height, :width] = np.asarray(resized).transpose(2, 0, 1)
    return {"images": images, "sizes": np.array([[height, width]])}


def _parsed(text: str) -> tuple[list[list[str]], list[str]]:
    """Read ``"cat,kitten; stuff: grass"``: the synonyms of each class, and the first names of those marked stuff."""
    classes, stuff = [], []
    for each in re.split(r"[;\r\n]", text):
        mark = re.match(r"\s*(stuff|things?)\s*:\s*", each, re.IGNORECASE)
        if each.strip():
            classes.append([name.strip() for name in each[mark.end() if mark else 0 :].split(",")])
        if mark and mark[1].lower() == "stuff":
            stuff.append(classes[-1][0])
    return classes, stuff


def _load(image: Any) -> Image.Image:
    try:
        opened = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        if not isinstance(opened, Image.Image):
            opened = Image.open(opened)
        return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, TypeError, ValueError, Image.DecompressionBombError) as error:
        raise ExportedFileError(f"The image {image!r:.80} cannot be decoded ({error}).") from error


def _fitted(size: tuple[int, int], settings: dict[str, Any]) -> tuple[int, int]:
    """Return the size of an image in the input: the model's shorter edge, within the limits of the longer one."""
    factor = settings["shortest"] / min(size)
    height, width = (factor * side for side in size)
    shrink = min(1.0, settings["longest"] / max(height, width))
    if settings["size"]:
        shrink = min(shrink, settings["size"][0] / height, settings["size"][1] / width)
    return max(1, int(height * shrink + 0.5)), max(1, int(width * shrink + 0.5))


def _normal(name: str) -> str:
    """Return a name in lower case, with single spaces for underscores and other space."""
    visible = re.sub(r"[\u200b\u2060\ufeff\u00ad]", "", unicodedata.normalize("NFC", name))
    return re.sub(r"[\s_]+", " ", visible).strip().lower()


def _related(negative: Sequence[str], requested: Iterable[Sequence[str]]) -> bool:
    """Return True if a negative may be a requested class: all words of one of their names are in the other."""
    ours, theirs = (
        [frozenset(word.removesuffix("s") for word in _normal(name).split()) for name in names]
        for names in (negative, [name for names in requested for name in names])
    )
    return any(a <= b or b <= a for a in ours for b in theirs)
