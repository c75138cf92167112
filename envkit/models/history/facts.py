"""What one entry of the registry, with what its lock made of it, says at one commit; and in what two differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from envkit.models import metrics, urls
from envkit.models.locking import lock
from envkit.models.locking.lock import Locked
from envkit.models.metrics import Metric
from envkit.models.model import PLACEHOLDER_MD5, Digests, Model
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES
from envkit.settings import REGISTRY

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")

Key = tuple[str, str]
"""The name of a model, and its version: where it floats the one it was locked to."""


class Change(NamedTuple):
    """A field that differs: None where it was not, or is not any more."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, eq=False)
class Facts:
    """``wish`` is what ``models.yaml`` has as the version where that floats; without a lock it is the ``version`` too.

    ``origin`` is where it comes from, without secrets; ``files`` what is known of the bytes by each file's path, empty
    where it is one. ``own`` are the fields of the entry as people may read them, but for version and digests.
    """

    name: str
    version: str
    wish: str | None
    target: str
    source: str
    origin: str
    files: Mapping[str, Digests]
    metrics: Mapping[str, Metric]
    own: Mapping[str, str]
    model: Model
    locked: Locked | None

    @property
    def key(self) -> Key:
        return self.name, self.version

    @property
    def digests(self) -> Digests:
        """Of the one file; of a set nothing."""
        return self.files.get("", Digests())

    @property
    def is_pinned(self) -> bool:
        """Whether something is known of its bytes."""
        return any(known for digests in self.files.values() for known in names(digests))

    @property
    def floats(self) -> bool:
        """Whether its version is a wish that nothing locks."""
        return self.wish == self.version


def facts(model: Model, locked: Locked | None, registry: Registry) -> Facts:
    """``locked`` is the lock's entry for the model, ``registry`` the one it is in."""
    if locked and not lock.fits(model, locked):
        locked = None
    version = locked.version if locked else model.version
    return Facts(
        name=model.name,
        version=version,
        wish=model.version if model.floats else None,
        target=f"{model.name}_{version}{model.suffix}",
        source=model.artifact.source,
        origin=SOURCES[model.artifact.source].shown(locked.locator if locked else model.artifact.locator),
        files=_files(model, locked),
        metrics=metrics.of(model, registry),
        own=dict(_own(model)),
        model=model,
        locked=locked,
    )


def are_other_bytes(old: Facts, new: Facts) -> bool:
    """Whether the two cannot be the same bytes, by all that is known of both."""
    shared = old.files.keys() & new.files.keys()
    return any(_differ(old.files[path], new.files[path]) for path in shared)


def changes(old: Facts, new: Facts) -> tuple[Change, ...]:
    """Every field in which they differ: the version, what is asked for, what the bytes are, and all else."""
    own = _differences(old.own, new.own)
    before, after = (dict(_bytes(each)) for each in (old, new))
    moved = [] if own else _differences({"from": old.origin}, {"from": new.origin})
    version = _differences({"version": old.version}, {"version": new.version})
    wish = _differences({"version asked for": old.wish or old.version}, {"version asked for": new.wish or new.version})
    return (*version, *(wish if old.wish or new.wish else ()), *_differences(before, after), *moved, *own)


def brought_by(old: Facts | None, new: Facts) -> tuple[str, ...]:
    """Which of the two files made the one of the other."""
    own = old is None or old.own != new.own or _asked(old.model) != _asked(new.model)
    locked = new.locked is not None and (old is None or old.locked != new.locked)
    return *((REGISTRY,) if own else ()), *((lock.FILE,) if locked else ())


def _files(model: Model, locked: Locked | None) -> Mapping[str, Digests]:
    own = model.artifact.digests
    if own.md5 == PLACEHOLDER_MD5:
        own = replace(own, md5=None)
    if locked is None:
        return {"": own} if own != Digests() else {}
    if len(locked.files) == 1:
        return {locked.files[0].path: own.over(locked.files[0].digests)}
    return {file.path: file.digests for file in locked.files}


def names(digests: Digests) -> tuple[str | None, ...]:
    """What names the bytes, the same kinds in the same order; None where it is not known."""
    return digests.sha256, digests.md5, digests.git_blob


def _differ(one: Digests, other: Digests) -> bool:
    """A size that was corrected is no other file, where a digest says that it is the same."""
    both = [(mine, theirs) for mine, theirs in zip(names(one), names(other), strict=True) if mine and theirs]
    if both:
        return any(mine != theirs for mine, theirs in both)
    return one.size is not None and other.size is not None and one.size != other.size


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    fields = dict.fromkeys((*old, *new))
    return [Change(field, old.get(field), new.get(field)) for field in fields if old.get(field) != new.get(field)]


def _asked(model: Model) -> tuple[str, Digests]:
    """What of an entry `Facts.own` does not have."""
    return model.version, model.artifact.digests


def _bytes(facts: Facts) -> Iterator[tuple[str, str]]:
    for path, digests in facts.files.items():
        of = f" of {path}" if path else ""
        known = {"sha256": digests.sha256, "md5": digests.md5, "git blob": digests.git_blob, "size": digests.size}
        yield from ((f"{name}{of}", str(value)) for name, value in known.items() if value is not None)


def _own(model: Model) -> Iterator[tuple[str, str]]:
    yield from ((key, _shown(value)) for key, value in model.asked.items() if key != "version")
    if model.artifact.mirrors:
        yield "mirrors", ", ".join(map(_shown, model.artifact.mirrors))
    if model.paths:
        yield "path", ", ".join(model.paths)
    if model.unpack:
        yield "unpack", model.unpack
    yield from _flat("", model.metadata)


def _flat(prefix: str, value: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Metadata as one field a value, those of mappings under ``outer.inner``."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(f"{prefix}{key}.", inner)
        else:
            yield f"{prefix}{key}", _shown(str(inner))


def _shown(value: str) -> str:
    return _URL.sub(lambda found: urls.redacted(found[0]), value)
