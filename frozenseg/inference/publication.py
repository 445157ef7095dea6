"""Publication of a segmenter's model: to a folder, and to a repository of the Hugging Face hub."""

import tempfile
from pathlib import Path
from typing import NamedTuple

from frozenseg.config import CfgNode
from frozenseg.downloads.hub import HUB
from frozenseg.errors import ConfigError
from frozenseg.inference.hub_upload import checked_repository, upload_folder
from frozenseg.inference.model_card import Results, model_card, read_results
from frozenseg.inference.pretrained_folder import write_pretrained
from frozenseg.modeling.model_zoo.weights import UNLICENSED
from frozenseg.modeling.pretrained import LOCAL_FOLDER, trained_model
from frozenseg.modeling.segmentation_model import SegmentationModel

ResultsLike = str | Path | Results | None
COMMIT_MESSAGE = "Upload weights, config, vocabulary and card"


class ModelOrigin(NamedTuple):
    """Config and weights that a model was built from.

    Attributes:
        config: the resolved config.
        weights: their source: a name, a path, ``hf-hub:ORG/REPO``; empty for an untrained model.
    """

    config: CfgNode
    weights: str


class PublishedModel:
    """Base of :class:`~frozenseg.inference.predictor.Segmenter`: writes its model for other machines.

    Attributes:
        model: the trained model.
        origin: config and weights that the model was built from; None if it was passed as it is.
    """

    model: SegmentationModel
    origin: ModelOrigin | None = None

    def save_pretrained(self, folder: str | Path, results: ResultsLike = None, licence: str = "") -> Path:
        """Write the model to a folder that ``from_pretrained("local-dir:FOLDER")`` reads, on any machine.

        The folder has ``model.safetensors`` (trained weights, config and vocabulary; a frozen encoder only if it has no
        public name), ``config.yaml``, ``vocabulary.json`` and the card ``README.md``. Their files are replaced.

        Args:
            folder: created if it does not exist.
            results: scores for the card: ``results.json`` of an evaluation, or its content.
            licence: of the weights, for the card; by default that of the model zoo.

        Returns:
            The folder.

        Raises:
            ConfigError: the model was not built from a config, or the folder cannot be written.
            DataError: the file of results is missing or damaged.
            CheckpointError: the disk is full.
        """
        path = Path(folder).expanduser()
        _write(self.model, _required(self.origin), path, f"{LOCAL_FOLDER}{path.name}", read_results(results), licence)
        return path

    def push_to_hub(
        self, repository: str, results: ResultsLike = None, licence: str = "", private: bool = False
    ) -> str:
        """Upload what :meth:`save_pretrained` writes to a repository of the Hugging Face hub, in one commit.

        Args:
            repository: ``ORG/REPO``; created if it does not exist.
            results: as for :meth:`save_pretrained`.
            licence: of the weights; needed for weights of which no licence is published.
            private: True to create a private repository.

        Returns:
            The address of the repository.

        Raises:
            ConfigError: a wrong name, weights without a licence, or as for :meth:`save_pretrained`.
            DownloadError: no network, no token or no permission.
        """
        origin = _required(self.origin)
        name = checked_repository(repository, origin.weights, licence)
        scores = read_results(results)
        with tempfile.TemporaryDirectory(prefix="frozenseg-") as folder:
            _write(self.model, origin, Path(folder), f"{HUB}{name}", scores, licence)
            return upload_folder(Path(folder), name, private, COMMIT_MESSAGE)


def _write(
    model: SegmentationModel, origin: ModelOrigin, folder: Path, source: str, results: Results, licence: str
) -> None:
    card = model_card(model, origin.config, source, licence or _licence_of(origin.weights), results)
    write_pretrained(folder, model, origin.config, card)


def _licence_of(weights: str) -> str:
    entry = trained_model(weights)
    return "" if entry is None or entry.licence == UNLICENSED else entry.licence


def _required(origin: ModelOrigin | None) -> ModelOrigin:
    if origin is None:
        raise ConfigError(
            "This segmenter was made from a model without its config, which the folder of a trained model needs: build "
            "it by Segmenter.from_config or Segmenter.from_pretrained."
        )
    return origin
