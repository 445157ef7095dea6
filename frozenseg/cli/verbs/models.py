"""List the weights that have a name, show their origin and scores, and download them.

Examples:
  all weights: trained models and frozen encoders, which of them are on this machine, and their licences:
    frozenseg models

  origin, licence, published scores, and the commands that check them:
    frozenseg models show fcclip_convnext_large

  download once into the cache ($FROZENSEG_CACHE, or the platform's folder of caches); the same command continues an
  interrupted download:
    frozenseg models download mobile_sam

  weights whose authors have published no licence; ask them before you pass the weights on:
    frozenseg models download frozenseg_convnext_large --accept-no-licence

  the path of the file, for other programs:
    frozenseg models path toyworld

The names are values of --weights, MODEL.WEIGHTS and Segmenter.from_pretrained. Frozen encoders are downloaded when a
model needs them.
"""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from frozenseg.errors import ConfigError

if TYPE_CHECKING:
    from frozenseg.modeling.model_zoo.weights import ZooModel

_ACTIONS = ("list", "show", "download", "path")
CONSENT_VARIABLE = "FROZENSEG_ACCEPT_NO_LICENCE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action, the names and the flags."""
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list", help="default: list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of weights; list: all by default")
    parser.add_argument(
        "--accept-no-licence",
        action="store_true",
        default=os.environ.get(CONSENT_VARIABLE, "0") not in ("", "0"),
        help=f"download weights although no licence is published (or {CONSENT_VARIABLE}=1)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Run the action.

    Raises:
        ConfigError: a name is missing or unknown, or weights without a licence need consent.
        DownloadError: a download fails.
    """
    from frozenseg.modeling.model_zoo.weights import download_weights, zoo_entry, zoo_weights

    entries = [zoo_entry(name) for name in arguments.names]
    if arguments.action == "list":
        _list(entries or list(zoo_weights()), arguments.json)
        return
    if not entries:
        raise ConfigError(
            f"`frozenseg models {arguments.action}` received no name, expected: frozenseg models {arguments.action} "
            "NAME; `frozenseg models` lists all names."
        )
    if arguments.action == "show":
        _show(entries, arguments.json)
        return
    if arguments.action == "download":
        from frozenseg.log import setup_logging

        setup_logging()
        for entry in entries:
            download_weights(entry, arguments.accept_no_licence)
    _print_paths(entries, arguments.json)


def described(entry: "ZooModel") -> dict[str, Any]:
    """Return the description of weights for JSON."""
    from frozenseg.modeling.model_zoo.weights import cached_path, local_weights

    file = local_weights(entry)
    scores: dict[str, dict[str, float]] = {}
    for score in entry.scores:
        scores.setdefault(f"{score.benchmark}{'_sam_masks' * score.sam_masks}", {})[score.metric] = score.value
    return {
        "name": entry.name,
        "title": entry.title,
        "kind": "model" if entry.is_trained_model else "encoder",
        "config": entry.config or None,
        "key": entry.key,
        "architecture": entry.architecture or None,
        "url": entry.url or None,
        "sha256": entry.sha256 or None,
        "size": (file.stat().st_size if file else entry.size) or None,
        "licence": entry.licence,
        "redistributed": not entry.url,
        "trained_on": entry.trained_on,
        "selection": entry.selection or None,
        "scores": scores,
        "checks": entry.check_commands(),
        "file": str(file) if file else None,
        "cache": str(cached_path(entry)) if entry.url else None,
    }


def _list(entries: list["ZooModel"], as_json: bool) -> None:
    descriptions = [described(entry) for entry in entries]
    if as_json:
        _write_json(descriptions)
        return
    rows = [("name", "weights", "trained on", "licence", "size", "on this machine")]
    rows += [
        (each["name"], each["title"], each["trained_on"], each["licence"], _size(each), _presence(each))
        for each in descriptions
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    sys.stdout.write("\n".join([*lines, "", *_notes(entries)]) + "\n")


def _presence(description: dict[str, Any]) -> str:
    if description["file"] is None:
        return "no"
    return "in the package" if description["redistributed"] else "yes"


def _size(description: dict[str, Any]) -> str:
    """Return the size of a file on this machine, or the published one."""
    return f"{description['size'] / 1e6:,.1f} MB" if description["size"] else "unknown"


def _notes(entries: list["ZooModel"]) -> list[str]:
    from frozenseg.downloads.cache_folder import cache_folder

    lines = [f"Cache: {cache_folder()}", "`frozenseg models show NAME` prints address, published scores and checks."]
    if any(entry.needs_consent for entry in entries):
        lines.append(
            "This project distributes none of the downloads. Where no licence is published, ask the authors before you "
            "pass the weights on."
        )
    return lines


def _show(entries: list["ZooModel"], as_json: bool) -> None:
    descriptions = [described(entry) for entry in entries]
    if as_json:
        _write_json(descriptions)
        return
    sys.stdout.write("\n".join(_text(entry, each) for entry, each in zip(entries, descriptions, strict=True)))


def _text(entry: "ZooModel", description: dict[str, Any]) -> str:
    from frozenseg.modeling.model_zoo.weights import PACKAGE, zoo_benchmarks

    used = f"--weights {entry.name}" if entry.is_trained_model else f"{entry.key} for {entry.architecture}"
    licence = entry.licence
    if entry.needs_consent:
        licence += ": you download the weights from the authors; they are not redistributed here"
    rows = {
        "weights": entry.title,
        "config": entry.config,
        "used by": used,
        "address": entry.url,
        "sha256": f"{entry.sha256}…" if entry.sha256 else "" if not entry.url else "none published",
        "size": f"{description['size']:,} bytes" if description["size"] else "unknown",
        "licence": licence,
        "trained on": entry.trained_on,
        "selection": entry.selection,
        "file": description["file"] or f"not on this machine; goes to {description['cache']}",
    }
    lines = [entry.name, *(f"  {label:10}  {value}" for label, value in rows.items() if value)]
    if entry.scores:
        lines.append("  published scores, percent:")
    titles = zoo_benchmarks()
    for benchmark, metrics in description["scores"].items():
        title = titles[benchmark.removesuffix("_sam_masks")].title + " with SAM masks" * ("_sam_masks" in benchmark)
        lines.append(f"    {title:26}  " + "  ".join(f"{metric} {value}" for metric, value in metrics.items()))
    if description["checks"]:
        lines += ["  checked by:", *(f"    {command}" for command in description["checks"])]
    if entry.card:
        lines += ["", (PACKAGE / entry.card).read_text(encoding="utf-8").rstrip()]
    return "\n".join(lines) + "\n"


def _print_paths(entries: list["ZooModel"], as_json: bool) -> None:
    from frozenseg.modeling.model_zoo.weights import local_weights

    paths = {entry.name: local_weights(entry) for entry in entries}
    if missing := [name for name, path in paths.items() if path is None]:
        raise ConfigError(
            f"{', '.join(missing)} is not on this machine: run 'frozenseg models download {' '.join(missing)}'."
        )
    if as_json:
        _write_json([{"name": name, "file": str(path)} for name, path in paths.items()])
        return
    sys.stdout.writelines(f"{path}\n" for path in paths.values())


def _write_json(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")
