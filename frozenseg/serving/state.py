"""State that the addresses of the server share: the model, its thread, and the readers of images and class names."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.sources.url import UrlLimits, read_url
from frozenseg.serving.class_names import ClassNamesLike, requested_classes
from frozenseg.serving.image_upload import decode_upload
from frozenseg.serving.metrics import ServerMetrics
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.settings import ServerSettings
from frozenseg.vocabulary import Vocabulary

URL_SECONDS = 30.0


@dataclass(frozen=True)
class ServedModel:
    """The model of the server.

    Attributes:
        segmenter: the model, loaded once.
        name: of the weights, for clients.
        classes: of requests without class names; None if there are none.
    """

    segmenter: Segmenter
    name: str = "frozenseg"
    classes: Vocabulary | None = None


@dataclass(frozen=True)
class ServerState:
    """State of a running application.

    Attributes:
        model: of the server.
        worker: thread that runs it.
        settings: of the server.
        metrics: of the server.
    """

    model: ServedModel
    worker: ModelWorker
    settings: ServerSettings
    metrics: ServerMetrics

    def load(self, content: bytes, url: str = "") -> Image.Image:
        """Return the image of a request, upright RGB.

        Args:
            content: encoded file.
            url: address of the file, if there is no content.

        Raises:
            RequestRefusedError: no image, too large, or addresses are not allowed.
            DataError: the address cannot be read, or is not public.
        """
        limits = self.settings.limits
        if url and not self.settings.allow_urls:
            raise RequestRefusedError(
                HTTPStatus.FORBIDDEN, "The request has an address: send the image itself, or start with --allow-urls."
            )
        if url:
            content = read_url(url, UrlLimits(limits.upload_bytes, silence=URL_SECONDS / 2, total=URL_SECONDS))
        return decode_upload(content, limits)

    def classes(self, classes: ClassNamesLike | None, stuff: str | list[str] = "") -> Vocabulary:
        """Return the vocabulary of a request.

        Args:
            classes: as for :func:`requested_classes`; None for those that the server was started with.
            stuff: first names of classes that are not countable.

        Raises:
            RequestRefusedError: too many or too long names.
            DataError: no class names.
        """
        if classes is not None:
            return requested_classes(classes, stuff, self.settings.limits, self.model.segmenter.class_rules.auto_names)
        if self.model.classes is None or stuff:
            raise DataError("The request has no class names: send words, such as 'cat,kitten; dog; grass'.")
        return self.model.classes


def server_state(request: Request) -> ServerState:
    """Return the state of the application that serves a request; a dependency of routes."""
    state: ServerState = request.app.state.server
    return state
