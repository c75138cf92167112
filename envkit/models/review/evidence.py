"""What shows how good a model is: the ``benchmark`` of its entry, a URL or a file of the repository. Pure.

It is a text, a mapping with a ``report``, or a list of either. A URL is believed to be there; a path has to be.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models import spelling, urls
from envkit.models.model import Model
from envkit.models.review import wording
from envkit.models.revisions import Entry

KEY = "benchmark"
_REPORT = "report"

State = Literal["fresh", "stale", "missing", "none"]


@dataclass(frozen=True)
class Evidence:
    """What an entry has to show for itself.

    ``fresh``: at least one place that is there, and is another or was written anew since. ``stale``: there, and what it
    was before, when the model was another. ``missing``: names only what is not there. ``none``: names nothing.
    ``places`` are what it names, as texts to show; ``why`` says what is wrong.
    """

    state: State
    places: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True)
class Tree:
    """What evidence is looked for in.

    ``prefix`` is where the project is in the repository, ``present`` the paths of `wanted` that are there and not
    empty, by their place in the repository; ``changed`` every path that differs between the two sides.
    """

    prefix: str
    present: Collection[str]
    changed: Collection[str]


def of(entry: Entry, before: Entry | None, tree: Tree) -> Evidence:
    """The evidence of an entry that is new, or another than ``before``."""
    places = named(entry.model)
    shown = tuple(map(wording.shown, places))
    if not places:
        return Evidence("none", why=_why_none(entry.model))
    there = [place for place in places if _is_there(place, tree)]
    if not there:
        return Evidence("missing", shown, _why_missing(places[0], tree))
    older = named(before.model) if before else ()
    if all(place in older and not _rewritten(place, tree) for place in there):
        return Evidence("stale", shown)
    return Evidence("fresh", shown)


def named(model: Model) -> tuple[str, ...]:
    """The URLs and paths that an entry gives as its evidence."""
    return tuple(_texts(model.metadata.get(KEY)))


def wanted(model: Model, prefix: str) -> Iterator[str]:
    """The places in the repository that the entry's evidence could be at."""
    for place in named(model):
        if not _is_url(place):
            yield from _candidates(place, prefix)


def is_link(place: str) -> bool:
    """Whether a text is a URL that can be made a link anywhere: of letters that no markup reads."""
    return urls.problem(place) is None and not set(place) - _PLAIN


_PLAIN = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#=&%+,")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, Mapping):
        yield from _texts(value.get(_REPORT))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _is_url(place: str) -> bool:
    return urls.problem(place) is None


def _candidates(place: str, prefix: str) -> Iterator[str]:
    """Below the project, else from the repository's root; nothing that leads out of it."""
    path = place.partition("#")[0]
    if not path or path.startswith("/") or not path.isprintable():
        return
    for root in dict.fromkeys((prefix, "")):
        found = posixpath.normpath(root + path)
        if found not in (".", "..") and not found.startswith("../"):
            yield found


def _is_there(place: str, tree: Tree) -> bool:
    return _is_url(place) or any(path in tree.present for path in _candidates(place, tree.prefix))


def _rewritten(place: str, tree: Tree) -> bool:
    if _is_url(place):
        return False
    for path in _candidates(place, tree.prefix):
        if path in tree.present:
            return path in tree.changed or any(changed.startswith(f"{path}/") for changed in tree.changed)
    return False


def _why_none(model: Model) -> str | None:
    if KEY in model.metadata:
        return f"its {KEY} names neither a URL nor a path"
    near = next((key for key in model.metadata if spelling.near(key, (KEY,))), None)
    return f"did you mean {KEY!r} by {wording.quoted(near)}?" if near else None


def _why_missing(place: str, tree: Tree) -> str:
    if "://" in place:
        return urls.problem(place) or ""
    if not any(True for _ in _candidates(place, tree.prefix)):
        return "a path is one in the repository"
    return "is not in the repository, or is empty"
