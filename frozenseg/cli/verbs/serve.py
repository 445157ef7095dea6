r"""Serve a page to try class names on images, and an API for programs and labelling tools.

Examples:
  the model in the package, at http://127.0.0.1:8000, in the browser:
    frozenseg serve --open-browser

  another model and port, and classes for tools that send no class names:
    frozenseg serve --weights NAME --port 8080 --words "cat,kitten; dog; grass" --stuff grass

  other machines may connect, with a secret that every request carries:
    frozenseg serve --weights NAME --host 0.0.0.0 --token SECRET

  a machine learning backend of Label Studio, whose images it may read:
    frozenseg serve --weights NAME --port 9090 --label-studio http://localhost:8080

It needs an extra: pip install "frozenseg[serve]". Ctrl-C ends the server after the running requests. Secrets are also
read from the variables FROZENSEG_TOKEN and LABEL_STUDIO_API_KEY, which other users of the machine cannot see.
"""

import argparse
import os
from typing import Any

from frozenseg.cli.command_line import number_flag, whole_number_flag
from frozenseg.cli.image_flags import add_class_names, add_model

INTERRUPTED_HINT = "stopped"
MIN_TOKEN = 8  # characters
MEGABYTES, MEGAPIXELS = 2**20, 10**6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: model, class names, address, protection, limits."""
    add_model(parser)
    add_class_names(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument(
        "--port", type=whole_number_flag(0, 65535, "as a port"), default=8000, help="(default: 8000; 0: a free one)"
    )
    parser.add_argument("--open-browser", action="store_true", help="open the page when the server is ready")
    parser.add_argument("--token", metavar="SECRET", help=f"secret of all requests, {MIN_TOKEN} characters or longer")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="name under which the server may be called, such as that of a proxy, beside localhost; may be repeated",
    )
    parser.add_argument(
        "--allow-urls", action="store_true", help="download images from public addresses that requests name"
    )
    parser.add_argument("--label-studio", metavar="URL", help="read images of tasks from this Label Studio")
    _add_limits(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the limits of requests, with the defaults of ``ServerLimits``."""
    limits = parser.add_argument_group("limits of requests")
    limits.add_argument(
        "--max-upload", type=number_flag(0.01, 1024, "MiB"), default=32.0, metavar="MIB", help="(default: 32)"
    )
    limits.add_argument(
        "--max-pixels", type=number_flag(0.01, 1000, "megapixels"), default=36.0, metavar="MP", help="(default: 36)"
    )
    limits.add_argument(
        "--max-names", type=whole_number_flag(1, 100_000, "names"), default=1000, help="(default: 1000)"
    )
    limits.add_argument(
        "--max-requests", type=whole_number_flag(1, 1000, "requests"), default=16, help="at a time (default: 16)"
    )
    limits.add_argument(
        "--max-seconds", type=number_flag(1, 3600, "seconds"), default=120.0, help="of a request (default: 120)"
    )
    limits.add_argument(
        "--batch", type=whole_number_flag(1, 64, "images"), default=8, help="waiting images at a time (default: 8)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Check the settings, build the model, then serve it."""
    from frozenseg.cli.chosen_classes import chosen_classes
    from frozenseg.cli.model_choice import ModelChoice
    from frozenseg.errors import ConfigError
    from frozenseg.log import setup_logging

    try:
        from frozenseg.serving.process import listen, serve
    except ImportError as error:
        raise ConfigError(f"The server needs an extra ({error}): pip install 'frozenseg[serve]'.") from error
    from frozenseg.serving.state import ServedModel

    setup_logging()
    settings = server_settings(arguments)
    choice = ModelChoice.of_arguments(arguments)
    has_classes = bool(arguments.words or arguments.words_file or choice.usual_classes)
    classes = chosen_classes(arguments, choice.usual_classes, choice.auto_names).vocabulary if has_classes else None
    listener = listen(settings)  # a taken port is reported before the model is built
    serve(ServedModel(choice.build(), _name_of(choice), classes), settings, listener, arguments.open_browser)


def server_settings(arguments: argparse.Namespace) -> Any:
    """Return the settings of a command line.

    Raises:
        ConfigError: the token is short, or the address of Label Studio is wrong.
    """
    from frozenseg.errors import ConfigError
    from frozenseg.serving.settings import LabelStudio, ServerLimits, ServerSettings

    token = os.environ.get("FROZENSEG_TOKEN", "") if arguments.token is None else arguments.token
    if (token or arguments.token is not None) and (len(token) < MIN_TOKEN or not token.isprintable()):
        raise ConfigError(
            f"The token has {len(token)} characters, expected {MIN_TOKEN} or longer: choose it with "
            "`python -c 'import secrets; print(secrets.token_urlsafe())'`."
        )
    studio = arguments.label_studio
    if studio is not None and not studio.startswith(("http://", "https://")):
        raise ConfigError(f"--label-studio {studio!r} is no address, expected one such as http://localhost:8080.")
    return ServerSettings(
        host=arguments.host,
        port=int(arguments.port),
        token=token,
        allow_urls=arguments.allow_urls,
        allowed_hosts=tuple(name.lower() for name in arguments.allowed_host),
        label_studio=None if studio is None else LabelStudio(studio, os.environ.get("LABEL_STUDIO_API_KEY", "")),
        limits=ServerLimits(
            upload_bytes=int(arguments.max_upload * MEGABYTES),
            pixels=int(arguments.max_pixels * MEGAPIXELS),
            names=int(arguments.max_names),
            requests=int(arguments.max_requests),
            seconds=arguments.max_seconds,
            batch=int(arguments.batch),
        ),
    )


def _name_of(choice: Any) -> str:
    """Return the name of a model for clients: without the folders of this machine."""
    return os.path.basename(str(choice.weights or choice.config).rstrip("/"))
