"""The history as one HTML file that needs nothing else: it opens from disk, asks no network, and prints."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from envkit.errors import InputError
from envkit.models import units
from envkit.models.history import rows, table
from envkit.models.history.gather import History, Version
from envkit.models.history.markup import Markup, tag
from envkit.models.history.plot import Point, is_wide, plot
from envkit.models.history.readings import readings
from envkit.models.history.stays import Stay
from envkit.models.locking import committed
from envkit.models.store.hand import Hand

_DOCTYPE = "<!doctype html>"


def render(history: History, names: Sequence[str], title: str) -> str:
    """The page of the models ``names``: the same for the same history."""
    found = [version for name in names for version in reversed(history.models[name])]
    anchors = {version.stay: f"v{number}" for number, version in enumerate(found, start=1)}
    script, style = _asset("page.js"), _asset("page.css")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script, style)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title}: history of models"),
        tag("style", style),
    )
    body = tag(
        "body",
        _header(history, found, title),
        tag("main", *_main(history, names, found, anchors)),
        tag("div", id="tip", role="status", hidden=True),
        tag("script", script),
    )
    return f"{_DOCTYPE}\n{tag('html', head, body, lang='en')}\n"


def write(path: Path, text: str, hand: Hand) -> None:
    """Write the page, whole or not at all. A file of another kind is not overwritten.

    Raises:
        InputError: it cannot be written there.
    """
    try:
        is_other = path.exists() and not (path.is_file() and _is_page(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if is_other:
        raise InputError(f"{path}: there is something else than a page", hint="name a file that is not there yet")
    committed.write(path, text.encode(), hand)


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_DOCTYPE)).lower() in (_DOCTYPE.encode(), b"")


def _asset(name: str) -> Markup:
    return Markup(resources.files("envkit.models.history").joinpath(name).read_text("utf-8"))


def _policy(script: str, style: str) -> str:
    """Nothing from outside, and no script but ours: should a name ever get past the escaping, it does nothing."""
    ours = {"script-src": script, "style-src": style}
    sums = {key: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for key, text in ours.items()}
    rules = (f"{key} 'sha256-{digest}'" for key, digest in sums.items())
    return "; ".join(("default-src 'none'", *rules, "base-uri 'none'", "form-action 'none'"))


def _header(history: History, found: Sequence[Version], title: str) -> Markup:
    days = sorted(version.arrival.commit.day for version in found)
    models = len({version.facts.name for version in found})
    facts = [
        units.counted(models, "model"),
        units.counted(len(found), "version"),
        *([f"{days[0]} to {days[-1]}"] if days else []),
    ]
    return tag(
        "header",
        tag("h1", title, " ", tag("small", "history of models")),
        tag("p", " · ".join(facts), " · as of ", tag("b", history.at), class_="facts"),
        *(tag("p", note, class_="note") for note in table.notes(history)),
    )


def _main(
    history: History, names: Sequence[str], found: Sequence[Version], anchors: dict[Stay, str]
) -> Iterator[Markup]:
    hint = "Filter: model, version, author, tag…"
    field = tag("input", type="search", id="filter", placeholder=hint, aria_label="filter", autocomplete="off")
    yield tag("div", field, tag("output", id="count", for_="filter"), class_="bar")
    cards = [card for name in names if (card := _card(name, history.models[name], anchors))]
    if cards:
        yield tag("section", *cards, class_="cards", aria_label="metrics")
        yield _legend(found)
    listed = rows.table_of([(version, anchors[version.stay]) for version in found])
    yield tag("section", listed, class_="versions", aria_label="versions")


def _card(name: str, versions: Sequence[Version], anchors: dict[Stay, str]) -> Markup | None:
    """The plots of one model; None where it has no metric."""
    points: dict[str, list[Point]] = {}
    for version in versions:
        for reading in readings(version):
            points.setdefault(reading.metric.name, []).append(Point(version, reading, anchors[version.stay]))
    if not points:
        return None
    current = ", ".join(version.facts.version for version in versions if version.is_current)
    head = tag("h2", name, " ", tag("span", current or "gone", class_="chip now" if current else "chip"))
    return tag("article", head, *(_figure(*each) for each in points.items()), data_model=name)


def _figure(name: str, points: Sequence[Point]) -> Markup:
    shown = next((point for point in reversed(points) if point.version.is_current), points[-1])
    way = {True: "higher is better", False: "lower is better", None: ""}[shown.reading.metric.higher_is_better]
    caption = tag(
        "figcaption",
        tag("span", name, class_="metric"),
        tag("span", way, class_="way"),
        tag("span", shown.reading.metric.text, class_="value"),
        rows.change_of(shown.reading),
    )
    return tag("figure", caption, plot(name, points), class_="wide" if is_wide(points) else None)


def _legend(found: Sequence[Version]) -> Markup:
    """Only what is there to be seen."""
    kinds = [("dot", "a version")]
    if any(reading.verdict == "worse" for version in found for reading in readings(version)):
        kinds.append(("dot worse", "worse than the one before"))
    if not all(version.is_here for version in found):
        kinds.append(("dot aside", "on another branch only"))
    if any(version.stay.other_bytes for version in found):
        kinds.append(("dot diamond", table.SAME_VERSION))
    items = (tag("li", tag("i", class_=kind, aria_hidden="true"), text) for kind, text in kinds)
    return tag("ul", *items, class_="legend")
