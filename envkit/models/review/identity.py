"""Whether two entries are the same bytes, as far as the registry and its lock know. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from envkit.models.model import PLACEHOLDER_MD5, Digests
from envkit.models.revisions import Entry
from envkit.models.sources import SOURCES

_SHORT = 12  # digits of a digest
_DIGESTS = ("sha256", "md5", "git_blob")
KINDS = (*_DIGESTS, "locator")
"""What tells that two entries are the same bytes, the best first."""

State = Literal["same", "changed", "members", "lost", "replaced", "unproven"]


@dataclass(frozen=True)
class Differing:
    """A digest that was another before; ``path`` is the file's in a set, empty for the one file there is."""

    path: str
    what: str
    old: str
    new: str


@dataclass(frozen=True)
class Bytes:
    """What became of a model's bytes.

    ``changed``: a digest says so. ``members``: the artifact is the same, or as far as it is known, and other files are
    taken out of it. ``lost``: there is no digest any more. ``replaced``: there is one of another kind, which says
    nothing about the one before. ``unproven``: there were no digests, and where to get it changed. ``same``: none of
    these, so either proven or what was asked for is what it was.
    """

    state: State
    differing: tuple[Differing, ...] = ()


Key = tuple[object, ...]


def short(differing: Differing) -> tuple[str, str]:
    """The beginnings of both digests, as long as it takes to tell them apart."""
    old, new = differing.old, differing.new
    if differing.what == "size":
        return old, new
    digits = next((end for end in range(_SHORT, len(old)) if old[:end] != new[:end]), None)
    return (old, new) if digits is None else (f"{old[:digits]}…", f"{new[:digits]}…")


def compare(old: Entry, new: Entry) -> Bytes:
    """What became of the bytes between two entries of one model."""
    before, after = _aligned(known(old), known(new))
    if not before or not after:
        return Bytes(_unknown(old, new, was_known=bool(before)))
    pairs = [(path, before[path], after[path]) for path in before if path in after]
    differing = tuple(found for path, *both in pairs for found in _differing(path, *both))
    if differing:
        return Bytes("changed", differing)
    if before.keys() != after.keys() or _members(old) != _members(new):
        return Bytes("members")
    comparable = all(_shared(*both) for _, *both in pairs)
    return Bytes("same" if comparable else "replaced")


def known(entry: Entry) -> Mapping[str, Digests]:
    """The digests of each of its files that has one, by its path in the artifact."""
    if entry.locked and len(entry.locked.files) > 1:
        return {file.path: file.digests for file in entry.locked.files}
    found = entry.digests
    if found.md5 == PLACEHOLDER_MD5:
        found = replace(found, md5=None)
    if not any(getattr(found, kind) for kind in _DIGESTS):
        return {}
    return {entry.locked.files[0].path if entry.locked else "": found}


def keys(entry: Entry) -> Iterator[tuple[str, Key]]:
    """What is the same for two entries only if they are the same bytes: each by its kind, the best first."""
    files = known(entry)
    for kind in _DIGESTS:
        if files and all(getattr(digests, kind) for digests in files.values()):
            own = tuple(sorted((path, str(getattr(digests, kind))) for path, digests in files.items()))
            named = own if len(own) > 1 else own[0][1]
            yield kind, (kind, named, _members(entry))
    if proof := _proof(entry):
        yield "locator", (*proof, _members(entry))


def _unknown(old: Entry, new: Entry, *, was_known: bool) -> State:
    """Of two entries not both of which have digests."""
    proofs = _proof(old), _proof(new)
    if proofs[0] and proofs[0] == proofs[1]:
        return "same" if _members(old) == _members(new) else "members"
    if all(proofs):
        return "changed"
    if was_known and not proofs[1]:
        return "lost"
    same = _place(old) == _place(new) and _members(old) == _members(new)
    return "same" if same and not was_known else "unproven"


def _aligned(old: Mapping[str, Digests], new: Mapping[str, Digests]) -> tuple[Mapping[str, Digests], ...]:
    """Both by the same paths where each is one file: the path says how it was found, not what it is."""
    if len(old) == len(new) == 1:
        return {"": next(iter(old.values()))}, {"": next(iter(new.values()))}
    return old, new


def _differing(path: str, old: Digests, new: Digests) -> Iterator[Differing]:
    for kind in _DIGESTS:
        before, after = getattr(old, kind), getattr(new, kind)
        if before and after and before != after:
            yield Differing(path, kind, before, after)
    if not _shared(old, new) and old.size is not None and new.size is not None and old.size != new.size:
        yield Differing(path, "size", str(old.size), str(new.size))


def _shared(old: Digests, new: Digests) -> bool:
    return any(getattr(old, kind) and getattr(new, kind) for kind in _DIGESTS)


def _members(entry: Entry) -> tuple[object, ...]:
    """Which part of the artifact the model is."""
    return entry.model.paths, entry.model.unpack


def _place(entry: Entry) -> tuple[str, str]:
    return entry.model.artifact.source, entry.model.artifact.locator


def _proof(entry: Entry) -> tuple[str, str] | None:
    """The locator, where that says by itself which bytes are meant."""
    artifact = entry.model.artifact
    locator = entry.locked.locator if entry.locked else artifact.locator
    return (artifact.source, locator) if SOURCES[artifact.source].is_proof(locator) else None
