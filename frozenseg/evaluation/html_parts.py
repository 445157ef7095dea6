"""The pieces of an HTML page: text goes in as it is and comes out escaped, elements come out as strings."""

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

from frozenseg.structures.palette import Colour

LONG = 20  # letters of a name that may be cut off on the page
VOID_ELEMENTS = frozenset({"img", "meta"})


def text(content: Any) -> str:
    """Return text that stands for itself, whatever is in it."""
    return html.escape(str(content))


def element(tag: str, /, *children: str, **attributes: Any) -> str:
    """Return an element.

    Args:
        tag: its name.
        children: HTML.
        **attributes: their values are escaped; ``class_`` stands for ``class``, False leaves an attribute out, True
            gives it no value.
    """
    written = ""
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is not False:
            written += f" {key}" if value is True else f' {key}="{text(value)}"'
    start = f"<{tag}{written}>"
    return start if tag in VOID_ELEMENTS else f"{start}{''.join(children)}</{tag}>"


def fold(summary: str, *children: str, unfolded: bool = False) -> str:
    """Return what is hidden behind a line of text until it is clicked on."""
    return element("details", element("summary", text(summary)), *children, open=unfolded)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], class_: str = "") -> str:
    """Return a table.

    Args:
        headers: text.
        rows: HTML of their cells; the first one of each names the row.
        class_: of the table.
    """
    head = element("tr", *(element("th", text(header), scope="col") for header in headers))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    content = element("table", element("thead", head), element("tbody", *body), class_=class_ or False)
    return element("div", content, class_="scroll")


def bar(label: str, percent: float, kind: str = "") -> str:
    """Return a line with a name, a bar from 0 to 100 and the number.

    Args:
        label: text.
        percent: how long.
        kind: class that gives the colour: ``seen``, ``unseen``, or nothing.
    """
    filled = element("i", style=f"width:{min(max(percent, 0.0), 100.0):.1f}%")
    return element(
        "div",
        element("span", text(label), class_="name", title=len(label) > LONG and label),
        element("span", filled, class_="track"),
        element("span", f"{percent:.1f}", class_="value"),
        class_=f"bar {kind}".strip(),
    )


def stacked(parts: Sequence[tuple[str, float]]) -> str:
    """Return one bar cut into named parts by their seconds, with a legend."""
    total = sum(value for _, value in parts) or 1.0
    cut = [
        element("i", class_=f"part{place}", style=f"width:{100 * v / total:.2f}%") for place, (_, v) in enumerate(parts)
    ]
    legend = [
        element("span", element("b", class_=f"part{place}"), text(f"{name} {value:.1f} s ({value / total:.0%})"))
        for place, (name, value) in enumerate(parts)
    ]
    return element("div", *cut, class_="stacked") + element("p", *legend, class_="chips")


def chips(entries: Iterable[tuple[str, Colour]]) -> str:
    """Return a legend: names beside their colours."""
    shown = [element("span", element("b", style=f"background:{_css(colour)}"), text(name)) for name, colour in entries]
    return element("p", *shown, class_="chips")


def picture(content: bytes, form: str, caption: str, description: str) -> str:
    """Return a picture that is part of the page.

    Args:
        content: the encoded picture.
        form: ``jpeg`` or ``png``.
        caption: text below it.
        description: text in its place.
    """
    source = f"data:image/{form};base64,{base64.b64encode(content).decode('ascii')}"
    image = element("img", src=source, alt=description)
    return element("figure", image, element("figcaption", text(caption)))


def _css(colour: Colour) -> str:
    return "rgb({} {} {})".format(*(int(part) for part in colour))
