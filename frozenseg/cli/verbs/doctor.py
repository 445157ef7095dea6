"""Show versions, devices, extras, data sets, weights and caches, and the command for each missing part.

Examples:
  everything about this installation:
    frozenseg doctor

  for a program or a bug report:
    frozenseg doctor --json

Exit code: 2 if a required package is missing or torch cannot be imported, otherwise 0.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis; returns 2 if a required part is missing."""
    from frozenseg.cli.diagnosis import installation_facts

    facts = installation_facts()
    text = json.dumps(facts, indent=2) if arguments.json else "\n".join(report_lines(facts))
    sys.stdout.write(f"{text}\n")
    return 2 if any(part["required"] for part in facts["missing"]) else 0


def report_lines(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        facts: see :func:`frozenseg.cli.diagnosis.installation_facts`.
    """
    python, torch = facts["python"], facts["torch"]
    yield f"FrozenSeg {facts['frozenseg']['version']} in {facts['frozenseg']['folder']}"
    yield f"Python {python['version']} ({python['executable']}) on {python['system']}, {python['cores']} cores"
    yield f"torch {torch['version']}, CUDA {torch['cuda'] or 'none'}"
    for device in torch["devices"]:
        yield f"  {device['name']}: {device['model']}, {size_text(device['available_bytes'])} available"
    yield f"required packages: {_versions_text(facts['packages']) or 'unknown, as the package is not installed'}"
    yield "extras:"
    for name, extra in facts["extras"].items():
        state = _versions_text(extra["packages"]) if extra["installed"] else "not installed"
        yield f"  {name:11} {state:32} {extra['purpose']}"
    yield from _data_lines(facts)
    yield from _missing_lines(facts["missing"])


def _data_lines(facts: dict[str, Any]) -> Iterator[str]:
    if "datasets" not in facts:
        return
    sets = facts["datasets"]["sets"]
    ready = [name for name, of_set in sets.items() if of_set["ready"]]
    yield f"data sets in {facts['datasets']['root']} ($DETECTRON2_DATASETS): {len(ready)} of {len(sets)} are ready"
    yield from (f"  {name}" for name in ready)
    present = {name: of_weights["file"] for name, of_weights in facts["weights"].items() if of_weights["file"]}
    yield f"weights: {len(present)} of {len(facts['weights'])} are on this machine"
    yield from (f"  {name}: {file}" for name, file in present.items())
    yield "caches:"
    yield from (f"  {name}: {cache['folder']}, {size_text(cache['bytes'])}" for name, cache in facts["caches"].items())


def _missing_lines(missing: list[dict[str, Any]]) -> Iterator[str]:
    yield "missing:" if missing else "nothing is missing"
    for part in missing:
        yield f"  {part['name']} ({part['purpose']}): {part['command']}"


def _versions_text(packages: dict[str, str | None]) -> str:
    return ", ".join(f"{name} {version or 'missing'}" for name, version in packages.items())


def size_text(size: int | None) -> str:
    """Return a number of bytes with its unit; ``unknown`` for None."""
    if size is None:
        return "unknown"
    number, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == _UNITS[0] else f"{number:.1f} {unit}"
