"""Runtime of an exported model: image and class names → panoptic map, instances and labels, without PyTorch.

This file is the whole computation, on NumPy, onnxruntime, tokenizers and Pillow: read it to port the model to another
language. Beside it, ``runtime_files`` opens and verifies files, and ``runtime_classes`` turns a vocabulary into a list
of classes; ``frozenseg export`` copies them into the folder of the model. Results are those of ``Segmenter`` with
``sam_masks=False``. Example::

    segmented = OnnxSegmenter("exported")("photo.jpg", "cat,kitten; dog; grass", stuff=("grass",))

Letters: N names, C requested classes, R negatives, Q queries, m×n their masks, H×W the output, E width of embeddings.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.export.runtime_classes import CallClasses, Names, classes_of_call
from frozenseg.export.runtime_files import CPU, open_export, open_image, open_session, open_text
from frozenseg.export.runtime_outputs import DetectedInstances, SegmentedImage

STRIP = 2**21  # values of all masks in a strip of rows
Array = np.ndarray
NamedArrays = dict[str, Array]
Sizes = Sequence[Sequence[int]]  # height and width of the padded input, of the image inside it, and of the output


class OnnxSegmenter:
    """A model in a folder of ``frozenseg export --format onnx``, for onnxruntime's providers and number of threads."""

    def __init__(self, folder: str | Path, providers: Sequence[str] = CPU, threads: int = 0) -> None:
        self.folder, self._options = Path(folder), (tuple(providers), threads)
        self.manifest = open_export(self.folder)
        self._image = open_session(self.folder / "image.onnx", *self._options)
        self._text: Any = None  # loaded for the first name whose embedding is not in the folder
        with np.load(self.folder / "embeddings.npz", allow_pickle=False) as stored:
            self._void = stored["void"]  # (1, E)
            self._embeddings: NamedArrays = dict(zip(stored["names"].tolist(), stored["embeddings"], strict=True))

    def __call__(self, image: Any, vocabulary: str | Names | None = None, stuff: Iterable[str] = ()) -> SegmentedImage:
        """Segment an image.

        Args:
            image: path, PIL image, or array (height, width, 3) uint8 RGB.
            vocabulary: ``"cat,kitten; stuff: grass"``, or the names of each class; None for the one in the folder.
            stuff: first names of the classes that cannot be counted.
        """
        rgb, classes = open_image(image), classes_of_call(vocabulary, stuff, self.manifest)
        inputs = {**graph_inputs(rgb, self.manifest["preprocessing"]), **self.encode(classes)}
        names = self.manifest["graphs"]["image"]["outputs"]
        outputs = {name: value[0] for name, value in zip(names, self._image.run(names, inputs), strict=True)}
        sizes = inputs["images"].shape[2:], inputs["sizes"][0].tolist(), (rgb.height, rgb.width)
        return postprocess(outputs, classes, sizes, self.manifest["postprocessing"])

    def encode(self, classes: CallClasses) -> NamedArrays:
        """Return ``text_embeddings`` (N + 1, E) with void last, ``class_index`` (N + 1,) and ``seen`` (C + R,)."""
        names = [name for synonyms in classes.names for name in synonyms]
        self._embeddings |= {name: self._encode_name(name) for name in set(names) - self._embeddings.keys()}
        rows = [*(self._embeddings[name] for name in names), *self._void]
        index = [index for index, synonyms in enumerate([*classes.names, ["void"]]) for _ in synonyms]
        return {"text_embeddings": np.array(rows), "class_index": np.array(index), "seen": np.array(classes.seen)}

    def _encode_name(self, name: str) -> Array:
        """Return the normalised mean of the embeddings of all prompts of a name, (E,)."""
        self._text = self._text or open_text(self.folder, *self._options)
        session, tokenizer = self._text
        prompts = [html.unescape(html.unescape(each.format(name))) for each in self.manifest["templates"]]
        encoded = tokenizer.encode_batch(prompts)
        tokens = np.array([each.ids for each in encoded])  # (P, T) int64, padded with 0
        ends = np.array([sum(each.attention_mask) - 1 for each in encoded])  # (P,) index of the end token
        mean: Array = session.run(["embeddings"], {"tokens": tokens, "ends": ends})[0].mean(axis=0)
        return mean / np.linalg.norm(mean)


def graph_inputs(rgb: Image.Image, settings: dict[str, Any]) -> NamedArrays:
    """Resize an image by ``preprocessing`` of the manifest, and pad it below and on the right.

    Returns ``images`` (1, 3, height, width) uint8, and ``sizes`` (1, 2) int64, the height and width before the padding.
    """
    size, step = np.array([rgb.height, rgb.width]), settings["divisibility"]
    scaled = size * (settings["shortest"] / size.min())
    limits = np.minimum(settings["longest"], settings["size"] or settings["longest"]) / scaled  # (2,)
    height, width = np.maximum(1, (scaled * min(1, *limits) + 0.5).astype(int)).tolist()
    padded_height, padded_width = settings["size"] or [-(-side // step) * step for side in (height, width)]
    padded = Image.new("RGB", (padded_width, padded_height))
    padded.paste(rgb.resize((width, height), Image.Resampling.BILINEAR))
    return {"images": np.array(padded).transpose(2, 0, 1)[None], "sizes": np.array([[height, width]])}


def postprocess(outputs: NamedArrays, classes: CallClasses, sizes: Sizes, rules: dict[str, Any]) -> SegmentedImage:
    """Turn the outputs of the image graph into those of the image, a strip of rows at a time.

    ``outputs`` are ``class_probabilities`` (Q, C + R + 1), void last, ``semantic_probabilities`` where labels have
    others, and ``masks`` (Q, m, n) logits; ``rules`` is ``postprocessing`` of the manifest.
    """
    objects, semantic, hidden = _class_scores(outputs, classes)  # (Q, C + 2) twice, (C,)
    isthing = np.append(np.array(classes.isthing) & ~hidden, [False, False])  # (C + 2,)
    labels, scores = objects.argmax(axis=1), objects.max(axis=1)  # (Q,)
    scores[(labels > len(hidden)) | (scores <= rules["score_threshold"])] = 0  # void, and queries that are dropped
    semantic_map, winner = np.empty((2, *sizes[2]), dtype=np.int64)
    confidence, binary = np.empty(sizes[2], dtype=np.float32), np.empty((len(scores), *sizes[2]), dtype=bool)
    areas, totals = np.zeros((2, len(scores)))
    for rows, logits in _strips(outputs["masks"], sizes):
        probabilities = 1 / (1 + np.exp(np.minimum(-logits, 88)))  # (Q, rows, W), without overflow
        semantic_map[rows] = np.tensordot(semantic[:, :-1], probabilities, (0, 0)).argmax(axis=0)
        winner[rows] = (scores[:, None, None] * probabilities).argmax(axis=0)
        confidence[rows] = np.take_along_axis(probabilities, winner[rows][None], axis=0)[0]
        binary[:, rows] = logits > 0
        areas += (probabilities >= 0.5).sum(axis=(1, 2))
        totals += (probabilities * binary[:, rows]).sum(axis=(1, 2))
    semantic_map[semantic_map == len(hidden)] = -1
    panoptic, segments = _segments(winner, confidence, areas, scores, labels, isthing, rules["overlap_threshold"])
    return SegmentedImage(panoptic, segments, _instances(objects[:, :-1], binary, totals, isthing, rules), semantic_map)


def _class_scores(outputs: NamedArrays, classes: CallClasses) -> tuple[Array, Array, Array]:
    """Return (Q, C + 2) scores for objects and for labels, and (C,) hidden classes: background, or without evidence.

    The columns are the requested classes, negatives and all hidden classes together, and void.
    """
    count, probabilities = len(classes.isthing), outputs["class_probabilities"]
    prior = np.ones(probabilities.shape[1], dtype=np.float32)
    prior[count:-1] = classes.negative_weight
    pair = probabilities, outputs.get("semantic_probabilities", probabilities)
    objects, semantic = (each * prior / (each @ prior)[:, None] for each in pair)  # (Q, C + R + 1)
    not_empty = (outputs["masks"] > 0).any(axis=(1, 2))  # (Q,)
    hidden = objects[not_empty, :count].max(axis=0, initial=0) < classes.min_evidence
    hidden[classes.background] = True
    columns = np.full(len(prior), count)
    columns[:count][~hidden], columns[-1] = np.flatnonzero(~hidden), count + 1
    merge = np.eye(count + 2, dtype=np.float32)[columns]  # (C + R + 1, C + 2)
    return objects @ merge, semantic @ merge, hidden


def _strips(masks: Array, sizes: Sizes) -> Iterator[tuple[slice, Array]]:
    """Yield rows of the output with their logits (Q, rows, W): resized to the input, cropped, resized again."""
    vertical, horizontal = (
        (_linear(true, target) @ _linear(count, padded)[:true]).astype(np.float32)
        for count, padded, true, target in zip(masks.shape[1:], *sizes, strict=True)
    )
    wide = masks @ horizontal.T  # (Q, m, W)
    step = max(1, STRIP // (len(masks) * wide.shape[2]))
    for top in range(0, len(vertical), step):
        weights = vertical[top : top + step]
        used = np.flatnonzero(weights.any(axis=0))  # rows of the masks
        yield slice(top, top + step), weights[:, used] @ wide[:, used]


def _linear(count: int, target: int) -> Array:
    """Return the matrix (target, count) of a linear resize with half-pixel centres."""
    position = np.clip((np.arange(target) + 0.5) * (count / target) - 0.5, 0, count - 1)
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(count)))


def _segments(
    winner: Array, confidence: Array, areas: Array, scores: Array, labels: Array, isthing: Array, overlap: float
) -> tuple[Array, list[dict[str, Any]]]:
    """Return the panoptic map (H, W) int32, and its segments: queries that win enough of their mask.

    ``winner`` (H, W) is the query with the highest score · mask probability, ``confidence`` (H, W) that probability;
    ``areas``, ``scores`` and ``labels`` are (Q,). Queries of a stuff class are one segment.
    """
    inside, classes = confidence >= 0.5, len(isthing) - 2
    won, covered = (np.bincount(each, minlength=len(scores)) for each in (winner.ravel(), winner[inside]))
    sums = np.bincount(winner[inside], confidence[inside], minlength=len(scores))
    kept = np.flatnonzero((scores > 0) & (labels < classes) & (covered > 0) & (won / np.maximum(areas, 1) >= overlap))
    groups = np.where(isthing[labels], classes + np.arange(len(labels)), labels)[kept]
    ids, segments = np.zeros(len(scores), dtype=np.int32), []
    for number, group in enumerate(dict.fromkeys(groups.tolist()), start=1):
        members = kept[groups == group]
        ids[members], label = number, int(labels[members[0]])
        score = float((scores[members] * sums[members]).sum() / covered[members].sum())
        segment = {"id": number, "isthing": bool(isthing[label]), "category_id": label, "label_id": label}
        segments.append({**segment, "score": score})
    return ids[winner] * inside, segments


def _instances(scores: Array, binary: Array, totals: Array, isthing: Array, rules: dict[str, Any]) -> DetectedInstances:
    """Return the things with the highest class probability · mean mask probability, without doubled ones.

    ``scores`` are class probabilities (Q, C + 1), ``totals`` (Q,) sums of mask probabilities in ``binary`` (Q, H, W).
    """
    if rules["one_class"]:
        scores = np.where(np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None], scores, -1)
    best = np.argsort(-scores, axis=None, kind="stable")[: rules["detections"]]
    queries, labels = np.unravel_index(best, scores.shape)
    areas = binary.sum(axis=(1, 2))
    final = (scores * (totals / (areas + 1e-6))[:, None]).astype(np.float32)[queries, labels]
    shown = np.flatnonzero(isthing[labels] & (areas[queries] > 0) & (final >= max(0, rules["min_score"])))
    order, limit = shown[np.argsort(-final[shown], kind="stable")], rules["mask_nms"]
    kept: list[int] = []
    for index in order.tolist():
        query, better = queries[index], queries[kept] if limit < 1 else queries[:0]
        common = np.array([(binary[query] & binary[other]).sum() for other in better])
        if (common <= limit * (areas[query] + areas[better] - common)).all():
            kept.append(index)
    return DetectedInstances(binary[queries[kept]], final[kept], labels[kept])
