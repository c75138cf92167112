"""``models.lock.yaml``: what every entry of ``models.yaml`` came to, so that it comes to the same for everybody.

An entry of the lock fits one of the registry as long as the keys that decide the bytes (`Model.asked`) are as they were
when it was made. With a lock a floating version is one version, a branch of a hub one commit, and every file has its
SHA-256. Nothing here asks the network: `resolve` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from envkit.errors import InputError, Problem
from envkit.models import urls, versions
from envkit.models.model import Digests, Model
from envkit.models.registry import collector, document, registry
from envkit.models.registry.document import Mark, NotADocumentError
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES

FILE = "models.lock.yaml"
MEND = "envkit models lock"
"""The command that makes the lock fit again."""

_SCHEMA = 1
_HEAD = f"""\
# What models.yaml comes to: `{MEND}` writes this file, `envkit models sync` goes by it.
# Commit it beside models.yaml; do not write in it by hand.
"""
_MERGE = "a merge left both sides in it: take either, then `envkit models lock`"

Key = tuple[str, str]
"""The name of an entry, and its version as ``models.yaml`` has it."""


@dataclass(frozen=True)
class LockedFile:
    """One file of an artifact: ``path`` in the set, empty where it is the artifact; what it was when it was locked.

    ``url`` is where it was found after all redirects, without secrets; None where that is a matter of each machine, as
    with the mirrors of a package index. ``etag`` is what its server called that version of it.
    """

    path: str
    digests: Digests
    url: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Locked:
    """What one entry came to: ``asked`` as the registry had it, the ``version`` and ``locator`` that were chosen.

    ``when`` is the time of that in UTC (``2026-11-24T12:00:00Z``), ``origin`` where it was found, without secrets.
    """

    name: str
    asked: Mapping[str, str] = field(hash=False)
    version: str
    locator: str
    files: tuple[LockedFile, ...]
    when: str = field(compare=False)
    origin: str = field(compare=False)
    mark: Mark = field(default=Mark(1, 1), compare=False)

    @property
    def key(self) -> Key:
        return self.name, self.asked["version"]


@dataclass(frozen=True)
class Lock:
    """Every entry, by name and the version asked for."""

    entries: Mapping[Key, Locked]

    @classmethod
    def of(cls, entries: Iterable[Locked]) -> Lock:
        return cls({entry.key: entry for entry in sorted(entries, key=lambda entry: entry.key)})


def load_project(project: Path) -> Registry:
    """The registry of a project as its lock pins it.

    Raises:
        InputError: either file is wrong, or they do not fit; with every problem, and the command that mends it.
    """
    return pin(registry.load(project / "models.yaml"), load(project / FILE))


def load(path: Path) -> Lock | None:
    """Read a lock; None where there is none.

    Raises:
        InputError: it is there, and none.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: not UTF-8 at byte {error.start}", hint=f"make it anew: {MEND}") from error
    return parse(text, path.name)


@collector.paused()
def parse(text: str, file: str = FILE) -> Lock:
    """Read the text of a lock. Raises as `load` does."""
    try:
        return Lock.of(_entries(document.read(text)))
    except NotADocumentError as error:
        from envkit.models.registry import yaml_errors

        hint = _MERGE if yaml_errors.has_conflict(text) else f"make it anew: {MEND}"
        problem = Problem(file, *error.mark, error.message, hint, rule="lock")
        raise InputError(str(problem), problems=(problem,)) from error


@collector.paused()
def dump(lock: Lock) -> str:
    """The text of a lock: the same for the same entries, each on lines of its own."""
    document = {"schema": _SCHEMA, "models": [_plain(entry) for entry in lock.entries.values()]}
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1 << 20)
    return _HEAD + str(text)


def misfits(found: Registry, lock: Lock | None) -> Iterator[Problem]:
    """Every entry that the lock does not fit, and every one of the lock that is for no entry.

    Without a lock that is what cannot be synced without one: what floats, and what has no digest of its own.
    """
    for model in found.models:
        if lock is None:
            if why := _needs_lock(model):
                yield found.problem(model, why[0], why[1], f"make one: {MEND}", rule="locked")
            continue
        entry = lock.entries.get((model.name, model.version))
        if entry is None:
            yield found.problem(model, "name", f"is not in {FILE}", MEND, rule="locked")
        elif why := _misfit(model, entry):
            yield found.problem(model, why[0], why[1], MEND, rule="locked")
    if lock is not None:
        named = {(model.name, model.version) for model in found.models}
        for key, entry in lock.entries.items():
            if key not in named:
                message = f"model {entry.name!r} {entry.asked['version']} is not in {found.file} any more"
                yield Problem(FILE, *entry.mark, message, MEND, rule="locked")


def fits(model: Model, entry: Locked) -> bool:
    """Whether an entry of a lock is for what the registry has now."""
    return _misfit(model, entry) is None


def pin(found: Registry, lock: Lock | None) -> Registry:
    """The registry with every entry as the lock has it. Pure: the same two give the same.

    Raises:
        InputError: they do not fit (`misfits`), or two models would be one file.
    """
    problems = tuple(misfits(found, lock))
    if not problems:
        models = tuple(_with_mirrors(model if lock is None else _pinned(model, lock)) for model in found.models)
        problems = tuple(
            Problem(found.file, *model.place("name"), f"model {model.name!r} {message}", hint)
            for model, message, hint in registry.clashes(models)
        )
        if not problems:
            return replace(found, models=models)
    raise InputError("\n".join(map(str, problems)), problems=problems)


def _needs_lock(model: Model) -> tuple[str, str] | None:
    """The key that needs a lock to be synced by, and why."""
    if model.floats:
        return "version", f"floats, and no {FILE} says which version that is"
    digests = model.artifact.digests
    if not (digests.md5 or digests.sha256 or SOURCES[model.artifact.source].is_proof(model.artifact.locator)):
        return "name", f"has neither md5 nor sha256, and no {FILE} has them: its bytes cannot be proven"
    return None


def _misfit(model: Model, entry: Locked) -> tuple[str, str] | None:
    """The key in which an entry differs from what was locked, and how."""
    for key in dict.fromkeys((*model.asked, *entry.asked)):
        asked, locked = model.asked.get(key), entry.asked.get(key)
        if asked != locked:
            return key, f"has another {key} than {FILE} was made for: {_shown(asked)}, not {_shown(locked)}"
    if not _is_of(model, entry):
        return "version" if model.floats else "name", f"is locked to what it does not name: {_place(model, entry)}"
    if len(entry.files) == 1:
        for mismatch in model.artifact.digests.mismatches(entry.files[0].digests.over(model.artifact.digests)):
            return mismatch.what, f"has {mismatch.what} {mismatch.expected}, and {FILE} {mismatch.got}"
    return None


def _is_of(model: Model, entry: Locked) -> bool:
    """Whether what was chosen is something that the entry names: a lock says which of them, not where else to go."""
    if not (versions.takes(model.version, entry.version) if model.floats else model.version == entry.version):
        return False
    source, asked = SOURCES[model.artifact.source], model.artifact.locator
    named = source.at(asked, entry.version) if model.floats else asked
    if source.holds_many(named) and not source.is_proof(named):  # then it is at the commit that this was
        return named.partition("@")[0] == entry.locator.partition("@")[0]
    return named == entry.locator


def _place(model: Model, entry: Locked) -> str:
    return f"version {entry.version} from {SOURCES[model.artifact.source].shown(entry.locator)}"


def _shown(value: str | None) -> str:
    if value is None:
        return "none"
    return repr(urls.redacted(value)) if "://" in value else repr(value)


def _pinned(model: Model, lock: Lock) -> Model:
    entry = lock.entries[model.name, model.version]
    artifact = replace(model.artifact, locator=entry.locator)
    if len(entry.files) == 1 and not entry.files[0].path:
        artifact = replace(artifact, digests=model.artifact.digests.over(entry.files[0].digests))
    else:
        artifact = replace(artifact, files=tuple((file.path, file.digests) for file in entry.files))
    return replace(model, version=entry.version, artifact=artifact, floats=False)


def _with_mirrors(model: Model) -> Model:
    """A model whose mirrors have its version in them, where they leave a place for it."""
    given = model.artifact.mirrors
    filled = tuple(urls.filled(url, model.version) for url in given)
    return model if filled == given else replace(model, artifact=replace(model.artifact, mirrors=filled))


# --- the file ------------------------------------------------------------------------------------------------------


def _plain(entry: Locked) -> dict[str, Any]:
    return {
        "name": entry.name,
        "asked": dict(entry.asked),
        "version": entry.version,
        "locator": entry.locator,
        "files": [_plain_file(file) for file in entry.files],
        "locked": {"at": entry.when, "from": entry.origin},
    }


def _plain_file(file: LockedFile) -> dict[str, Any]:
    digests = file.digests
    facts = {
        "path": file.path or None,
        "url": file.url,
        "size": digests.size,
        "md5": digests.md5,
        "sha256": digests.sha256,
        "git_blob": digests.git_blob,
        "etag": file.etag,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _entries(root: document.Value | None) -> Iterator[Locked]:
    parts = {field.key: field.value for field in root.fields or ()} if root else {}
    if "schema" not in parts or parts["schema"].plain() != _SCHEMA:
        raise NotADocumentError(Mark(1, 1), "is no lock that this envkit reads", f"make it anew: {MEND}")
    items = parts["models"].items if "models" in parts else None
    seen: set[Key] = set()
    for entry in map(_entry, items or ()):
        if entry.key in seen:
            # As a merge leaves it that takes both sides.
            message = f"{entry.name!r} {entry.asked['version']} is there twice"
            raise NotADocumentError(entry.mark, message, f"make it anew: {MEND}")
        seen.add(entry.key)
        yield entry


def _entry(item: document.Value) -> Locked:
    try:
        return _read_entry(item)
    except (KeyError, TypeError, ValueError) as error:
        hint = f"make it anew: {MEND}"
        raise NotADocumentError(item.mark, "this entry is not as it was written", hint) from error


def _read_entry(item: document.Value) -> Locked:
    fields = _texts(item)
    asked = {key: str(value.scalar) for key, value in _texts(fields["asked"]).items()}
    origin = {key: str(value.scalar) for key, value in _texts(fields["locked"]).items()}
    files = tuple(_file(_texts(file)) for file in fields["files"].items or ())
    if not files or "version" not in asked:
        raise ValueError("no files, or no version")
    version, locator = fields["version"].text, fields["locator"].text
    if not version or versions.is_wish(version) or not registry.is_name(version) or not locator:
        raise ValueError("no version, or no locator")
    if "://" in locator and not locator.startswith("file:") and urls.problem(locator):
        raise ValueError("no locator")
    name = str(fields["name"].scalar)
    return Locked(name, asked, version, locator, files, origin["at"], origin["from"], item.mark)


def _texts(value: document.Value) -> dict[str, document.Value]:
    if value.fields is None:
        raise TypeError("not a mapping")
    return {field.key: field.value for field in value.fields}


def _file(fields: Mapping[str, document.Value]) -> LockedFile:
    facts = {key: value.text for key, value in fields.items()}
    for key, digits in (("md5", 32), ("sha256", 64), ("git_blob", 40)):
        if (text := facts.get(key)) is not None and not re.fullmatch(rf"[0-9a-f]{{{digits}}}", text):
            raise ValueError(key)
    text = facts.get("size")
    size = None if text is None else int(text)
    if size is not None and size < 0:
        raise ValueError("size")
    digests = Digests(facts.get("md5"), facts.get("sha256"), size, facts.get("git_blob"))
    if not (digests.md5 or digests.sha256 or digests.git_blob):
        raise ValueError("no digest")
    path = fields["path"].scalar if "path" in fields else None
    return LockedFile(path or "", digests, facts.get("url"), facts.get("etag"))
