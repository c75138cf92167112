"""Which versions somebody means: by name, by version, by digest, or by a file in ``checkpoints/``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from envkit.errors import InputError
from envkit.models import records
from envkit.models.checkpoints import FOLDER
from envkit.models.history.facts import Facts, are_other_bytes, facts
from envkit.models.history.gather import History, Version, known_name
from envkit.models.locking import lock
from envkit.models.model import Digests
from envkit.models.registry import registry
from envkit.settings import REGISTRY

_LEAST_DIGITS = 8
_DIGEST = re.compile(rf"[0-9a-f]{{{_LEAST_DIGITS},64}}")


def of_name(history: History, name: str, version: str | None, project: Path) -> Sequence[Version]:
    """The version of a model that is pinned now; of a ``version`` that is named everything it ever was.

    Raises:
        InputError: there never was one, or what is pinned now is in no commit.
    """
    versions = history.models[known_name(history, name)]
    if version is not None:
        found = [one for one in reversed(versions) if version in (one.facts.version, one.facts.wish)]
        if not found:
            had = ", ".join(dict.fromkeys(one.facts.version for one in versions))
            raise InputError(f"no commit ever had version {version!r} of model {name!r}", hint=f"it had: {had}")
        return found
    pinned = [each for each in _pinned_now(project) if each.name == name]
    if pinned:
        return [_committed(each, versions) for each in pinned]
    return [one for one in versions if one.is_current] or versions[-1:]


def of_digest(history: History, prefix: str) -> Sequence[Version]:
    """Every version, of whatever model, with a digest that begins so.

    Raises:
        InputError: none has, or several digests begin so.
    """
    found = [(one, digest) for one in history.versions for digest in _digests(one) if digest.startswith(prefix)]
    digests = sorted({digest for _, digest in found})
    if not digests:
        raise InputError(f"no commit ever had a model whose digest begins with {prefix}")
    if len(digests) > 1:
        raise InputError(f"several digests begin with {prefix}", hint=f"they are: {', '.join(digests)}")
    return list(dict.fromkeys(one for one, _ in reversed(found)))


def of_path(history: History, path: Path, project: Path) -> Sequence[Version]:
    """The version that the file or folder is, by its bytes as far as they tell.

    Raises:
        InputError: it is not below ``checkpoints/``, or its bytes are in no commit.
    """
    folder = project / FOLDER
    target = _below(folder, path)
    named = [one for one in reversed(history.versions) if one.facts.target == target]
    digests = _on_disk(folder, target)
    if digests is None:
        found = [one for one in named if one.is_current] or named[:1]
        if not found:
            raise InputError(f"{FOLDER}/{target}: no commit ever had a model that is called so there")
        return found
    wanted = {digest for digest in (digests.md5, digests.sha256) if digest}
    having = [one for one in reversed(history.versions) if wanted & set(_digests(one))]
    # Several models may come out of one artifact.
    found = [one for one in having if one in named] or having
    if not found:
        said = f"sha256 {digests.sha256}" if digests.sha256 else f"md5 {digests.md5}"
        raise InputError(f"{FOLDER}/{target}: no commit ever had these bytes: {said}")
    return found


def is_digest(text: str) -> bool:
    return bool(_DIGEST.fullmatch(text.lower()))


def _pinned_now(project: Path) -> Iterator[Facts]:
    """What ``sync`` goes by, committed or not; nothing where the two files cannot be read."""
    try:
        found, locked = registry.load(project / REGISTRY), lock.load(project / lock.FILE)
    except InputError:
        return
    entries = locked.entries if locked else {}
    yield from (facts(model, entries.get((model.name, model.version)), found) for model in found.models)


def _committed(pinned: Facts, versions: Sequence[Version]) -> Version:
    fitting = [one for one in versions if one.facts.key == pinned.key and not are_other_bytes(one.facts, pinned)]
    if not fitting:
        message = f"model {pinned.name!r} {pinned.version}, as {REGISTRY} and its lock have it now, is in no commit"
        raise InputError(message, hint=f"what was committed: envkit models history {pinned.name}")
    return max(fitting, key=lambda one: (one.is_current, one.is_here))


def _below(folder: Path, path: Path) -> str:
    """The first name of ``path`` below ``folder``: the model's."""
    # Not resolved at first: what is there may be a symlink into the store.
    plain = Path(os.path.normpath(path.absolute()))
    for given, root in ((plain, folder.absolute()), (plain.parent.resolve() / plain.name, folder.resolve())):
        if given.is_relative_to(root) and given != root:
            return given.relative_to(root).parts[0]
    raise InputError(f"{path} is not below {folder}")


def _on_disk(folder: Path, target: str) -> Digests | None:
    """What the artifact of a model in place was: as recorded where that still holds, else by its bytes."""
    try:
        record = records.from_json((folder / ".envkit" / "records" / f"{target}.json").read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        record = None
    if record and all(file.still_true(folder / target) for file in record.files):
        return record.artifact if record.artifact.md5 or record.artifact.sha256 else None
    seen = records.observe(folder / target, "", lambda _: None)
    return seen[1] if seen else None


def _digests(version: Version) -> Iterable[str]:
    """Every digest that was ever said of a version."""
    told = (version.facts, version.stay.facts, *(arrival.facts for arrival in version.stay.arrivals))
    known = (digests for each in told for digests in each.files.values())
    return {digest for digests in known for digest in (digests.md5, digests.sha256, digests.git_blob) if digest}
