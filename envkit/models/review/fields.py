"""What differs between two entries of one model, field by field, as texts to show. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from envkit.models import urls
from envkit.models.locking.lock import Locked
from envkit.models.model import Digests, Model
from envkit.models.review.wording import as_json, shown, visible
from envkit.models.revisions import Entry
from envkit.models.sources import SOURCES

Where = Literal["registry", "metadata", "lock"]


@dataclass(frozen=True)
class FieldChange:
    """A field that is another now; None where there was none, or is none any more. ``where`` is what has it.

    The texts are for reading: visible, in one line, without credentials. A field of a mapping is ``outer.inner``.
    """

    key: str
    where: Where
    old: str | None
    new: str | None


def compare(old: Entry | None, new: Entry | None) -> tuple[FieldChange, ...]:
    """Every field that differs: the keys that envkit goes by, the lock's, then metadata, each in its own order.

    Of an entry that has no other side, those are all of its fields.
    """
    if old and new and _seem_equal(old, new):
        return ()
    before, after = (_fields(entry) if entry else ({}, {}, {}) for entry in (old, new))
    places: tuple[Where, ...] = ("registry", "lock", "metadata")
    shows = (_address, _address, shown)
    parts = zip(places, before, after, shows, strict=True)
    return tuple(field for part in parts for field in differing(*part))


def _fields(entry: Entry) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    return _registry(entry.model), _lock(entry.locked), flat(entry.model.metadata)


def differing(
    where: Where, old: Mapping[str, object], new: Mapping[str, object], show: Callable[[object], str] = shown
) -> Iterator[FieldChange]:
    """Every key whose value is another, as JSON has values: ``1``, ``"1"`` and ``true`` are three."""
    for key in dict.fromkeys((*old, *new)):
        if key in old and key in new:
            if as_json(old[key]) != as_json(new[key]):
                yield FieldChange(visible(key), where, *_told_apart(old[key], new[key], show))
        else:
            texts = (show(side[key]) if key in side else None for side in (old, new))
            yield FieldChange(visible(key), where, *texts)


def flat(mapping: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """The values of nested mappings by their keys with dots between them."""
    found: dict[str, object] = {}
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def origin(model: Model) -> str:
    """Where a model is from, for a person to read."""
    artifact = model.artifact
    return visible(f"{artifact.source}: {SOURCES[artifact.source].shown(artifact.locator)}")


def _told_apart(old: object, new: object, show: Callable[[object], str]) -> tuple[str, str]:
    """Two values to show, told apart where they look alike: ``1`` and ``"1"``, or addresses with other secrets."""
    before, after = show(old), show(new)
    if before == after and not isinstance(old, type(new)):
        return shown(as_json(old)), shown(as_json(new))
    return before, f"{after} (what is not shown differs)" if before == after else after


def _seem_equal(old: Entry, new: Entry) -> bool:
    """Quick and sure, for the many that are: `repr` tells 1 from true, which ``==`` does not."""
    before, after = (
        (entry.locked, dict(entry.model.asked), entry.model, "unpack" in entry.model.marks) for entry in (old, new)
    )
    return before == after and repr(old.model.metadata) == repr(new.model.metadata)


def _registry(model: Model) -> dict[str, object]:
    """The keys of an entry that envkit goes by."""
    digests, mirrors = model.artifact.digests, model.artifact.mirrors
    facts: dict[str, object] = {"name": model.name, "version": model.version, **model.asked}
    if model.paths:
        facts["path"] = _one_or_all(model.paths)
    facts |= {"md5": digests.md5, "sha256": digests.sha256, "size": digests.size}
    facts |= {"unpack": (model.unpack or "none") if "unpack" in model.marks else None}
    facts |= {"mirrors": _one_or_all(mirrors) if mirrors else None}
    return {key: value for key, value in facts.items() if value is not None}


def _lock(entry: Locked | None) -> dict[str, object]:
    if entry is None:
        return {}
    facts: dict[str, object] = {"version": entry.version, "locator": entry.locator}
    for file in entry.files:
        prefix = f"{file.path}: " if len(entry.files) > 1 else ""
        own = {"url": file.url, **_facts(file.digests)}
        facts |= {f"{prefix}{key}": value for key, value in own.items() if value is not None}
    return facts


def _facts(digests: Digests) -> dict[str, object]:
    return {"size": digests.size, "md5": digests.md5, "sha256": digests.sha256, "git_blob": digests.git_blob}


def _one_or_all(values: tuple[str, ...]) -> object:
    return values[0] if len(values) == 1 else list(values)


def _address(value: object) -> str:
    """Addresses as envkit shows them everywhere: also without their query."""
    if isinstance(value, list):
        return shown([_address(item) for item in value])
    return shown(urls.redacted(value) if isinstance(value, str) and "://" in value else value)
