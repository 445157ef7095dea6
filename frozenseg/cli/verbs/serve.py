r"""Serve a page to try class names on images, and an API for programs and labelling tools.

Examples:
  the model in the package, at http://127.0.0.1:8000, in the browser:
    frozenseg serve --open-browser

  another model and port:
    frozenseg serve --weights NAME --port 8080

  other machines may connect, with a secret that every request carries:
    frozenseg serve --weights NAME --host 0.0.0.0 --token SECRET

It needs the extra: pip install "frozenseg[serve]". Ctrl-C ends the server after the running requests.
"""

import argparse

from frozenseg.cli.command_line import whole_number_flag
from frozenseg.cli.image_flags import add_model

INTERRUPTED_HINT = "stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: model, address, protection, limits."""
    add_model(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument(
        "--port", type=whole_number_flag(0, 65535, "port numbers"), default=8000, help="(default: 8000; 0: a free one)"
    )
    parser.add_argument("--open-browser", action="store_true", help="open the page when the server is ready")
    parser.add_argument("--token", default="", metavar="SECRET", help="secret that every request must carry")


def run(arguments: argparse.Namespace) -> None:
    """Build the model, then serve it."""
    from frozenseg.cli.model_choice import ModelChoice
    from frozenseg.errors import ConfigError
    from frozenseg.log import setup_logging

    try:
        from frozenseg.serving.process import serve
    except ImportError as error:
        raise ConfigError(f"The server needs an extra ({error}): pip install 'frozenseg[serve]'.") from error
    from frozenseg.inference.vocabulary_inputs import make_vocabulary
    from frozenseg.serving.settings import ServerSettings
    from frozenseg.serving.state import ServedModel

    setup_logging()
    choice = ModelChoice.of_arguments(arguments)
    settings = ServerSettings(arguments.host, int(arguments.port), arguments.token)
    classes = make_vocabulary(choice.usual_classes) if choice.usual_classes else None
    model = ServedModel(choice.build(), choice.weights or str(choice.config), classes)
    serve(model, settings, arguments.open_browser)
