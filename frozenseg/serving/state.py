"""State that the addresses of the server share: the model, its thread, and the readers of images and class names."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
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
from frozenseg.serving.studio_access import StudioAccess
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
        studio: reads the images of Label Studio; None for none.
    """

    model: ServedModel
    worker: ModelWorker
    settings: ServerSettings
    metrics: ServerMetrics
    studio: StudioAccess | None = None

    def load(self, content: bytes, url: str = "") -> Image.Image:
        """Return the image of a request, upright RGB.

        Args:
            content: encoded file.
            url: address of the file, if there is no content.

        Raises:
            RequestRefusedError: no image, too large, or addresses are not allowed.
            DataError: the address cannot be read, or is not public.
        """
        return self.load_address(url) if url else decode_upload(content, self.settings.limits)

    def load_address(self, address: str) -> Image.Image:
        """Return the image at a public address, or one of the connected Label Studio.

        Args:
            address: http or https; a path such as ``/data/upload/1/cat.jpg`` is that of Label Studio.

        Raises:
            RequestRefusedError: addresses are not allowed.
            DataError: it cannot be read, or is not public.
        """
        settings = self.settings
        is_of_studio = self.studio is not None and self.studio.has(address)
        if not (is_of_studio or settings.allow_urls):
            raise RequestRefusedError(
                HTTPStatus.FORBIDDEN,
                "The request has the address of an image: send the image itself, or start the server with --allow-urls "
                "or, for those of Label Studio, --label-studio URL.",
            )
        limits = UrlLimits(
            settings.limits.upload_bytes, URL_SECONDS / 2, URL_SECONDS, private_advice="send the image itself"
        )
        if self.studio is not None and is_of_studio:
            return decode_upload(self.studio.read(address, limits), settings.limits)
        return decode_upload(read_url(address, limits), settings.limits)

    def check_names(self, names: Iterable[str]) -> None:
        """Check the number and the length of names that a request has as a list.

        Raises:
            RequestRefusedError: too many or too long names.
        """
        requested_classes(list(names), "", self.settings.limits, ())

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


State = Annotated[ServerState, Depends(server_state)]
