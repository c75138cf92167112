"""Both sides of a range as revisions, wherever the project was in the repository then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from envkit.errors import InputError
from envkit.git import Repository
from envkit.models import revisions, texts
from envkit.models.locking import lock
from envkit.models.registry import document, registry
from envkit.models.review import levels
from envkit.models.review.fields import FieldChange, differing, flat
from envkit.models.review.levels import Levels
from envkit.models.review.ranges import Range
from envkit.models.review.wording import quoted
from envkit.models.revisions import Revision
from envkit.settings import CONFIG, REGISTRY

_MOST_BACK = 100  # commits to look through for a registry that can be read


@dataclass(frozen=True)
class Sides:
    """``notes`` say what a reviewer has to know of how the sides were read; ``rules`` is what else is judged by.

    ``levels`` are those of the older side, the defaults where it has none that can be read.
    """

    base: Revision
    head: Revision
    notes: tuple[str, ...] = ()
    rules: tuple[FieldChange, ...] = ()
    comparable: bool = True
    levels: Levels = field(default_factory=Levels)


def read(repository: Repository, compared: Range) -> Sides:
    """Read both. A side without a registry has no entries.

    Raises:
        InputError: the newer one's registry is wrong, with every problem; or neither side has one.
    """
    head = _head(repository, compared)
    then = replace(repository, prefix=_prefix_then(repository, compared))
    base, notes, comparable = _base(then, compared)
    had, has = then.read(compared.start, REGISTRY), _text(repository, compared.head.commit, REGISTRY)
    if had is None and has is None:
        raise InputError(f"{repository.prefix}{REGISTRY}: neither {compared.base} nor {compared.head} has it")
    if then.prefix != repository.prefix:
        notes.append(f"the project was in {quoted(then.prefix or '/')} then")
    if had is None or has is None:
        notes.append(f"{REGISTRY} is new" if had is None else f"{REGISTRY} is not there any more")
    if head.problem:
        told = "; ".join(line.strip() for line in head.problem.splitlines())
        notes.append(f"the lock of {quoted(compared.head.name)} does not fit: {quoted(told, 400)}")
    old, new = _settings(then, compared.start), _settings(repository, compared.head.commit)
    rules = (
        *differing("registry", _metrics(base), _metrics(head)),
        *differing("registry", _review(old), _review(new)),
        *differing("registry", flat(_section(old, "policy"), "policy."), flat(_section(new, "policy"), "policy.")),
    )
    return Sides(base, head, tuple(notes), rules, comparable, _levels(old))


def _head(repository: Repository, compared: Range) -> Revision:
    """The newer side, with the registry's problems raised and the lock's noted."""
    commit = compared.head.commit
    text = _text(repository, commit, REGISTRY)
    found = revisions.of(commit or "", text, _text(repository, commit, lock.FILE))
    if found.problem and not found.entries and text is not None:
        registry.parse(texts.decoded(text, REGISTRY), REGISTRY)
    return found


def _base(repository: Repository, compared: Range) -> tuple[Revision, list[str], bool]:
    """The older side; where its registry cannot be read, that of the newest commit before it that can."""
    found = revisions.read(repository, [compared.start])[compared.start]
    if not _is_unreadable(repository, found):
        return found, [], True
    said = f"{REGISTRY} cannot be read at {quoted(compared.base.name)} ({quoted(found.problem or '', 400)})"
    path = repository.prefix + REGISTRY
    listed = repository.text("rev-list", f"--max-count={_MOST_BACK}", compared.start, "--", path)
    for revision in revisions.read(repository, listed.split()).values():
        if not _is_unreadable(repository, revision):
            return revision, [f"{said}: compared with {quoted(revision.commit[:12])}, the last at which it can"], True
    return found, [f"{said}, nor before: all of it looks new, and nothing fails by that"], False


def _is_unreadable(repository: Repository, revision: Revision) -> bool:
    """Whether the problem of a revision is its registry, and not its lock."""
    if revision.problem is None or revision.entries or revision.lock:
        return False
    try:
        registry.parse(texts.decoded(repository.read(revision.commit, REGISTRY) or b"", REGISTRY))
    except InputError:
        return True
    return False


def _prefix_then(repository: Repository, compared: Range) -> str:
    """Where the project was in the repository at the base, by Git's own detection of renames."""
    path = repository.prefix + REGISTRY
    if repository.read(compared.start, REGISTRY) is not None:
        return repository.prefix
    sides = (compared.start, compared.head.commit) if compared.head.commit else (compared.start,)
    options = ("--find-renames=40%", "--diff-filter=R", "--name-status", "--no-ext-diff", "-z")
    listed = repository.run("diff", *options, *sides, "--", f":(glob)**/{REGISTRY}").decode("utf-8", "surrogateescape")
    words = listed.split("\0")
    for old, new in zip(words[1::3], words[2::3], strict=False):
        if new == path:
            return old.removesuffix(REGISTRY)
    return repository.prefix


def _text(repository: Repository, commit: str | None, name: str) -> bytes | None:
    if commit is not None:
        return repository.read(commit, name)
    path = repository.root / repository.prefix / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _metrics(revision: Revision) -> dict[str, object]:
    return flat(revision.registry.metrics, "metrics.")


def _settings(repository: Repository, commit: str | None) -> Mapping[str, object]:
    """What ``envkit.yaml`` says on a side; nothing where there is none to read."""
    text = _text(repository, commit, CONFIG)
    try:
        root = document.read(text.decode("utf-8-sig")) if text else None
    except (document.NotADocumentError, UnicodeDecodeError):
        return {}
    plain = root.plain() if root else None
    return plain if isinstance(plain, dict) else {}


def _section(settings: Mapping[str, object], name: str) -> dict[str, object]:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}


def _review(settings: Mapping[str, object]) -> dict[str, object]:
    fields = flat(_section(settings, "review"), "review.")
    return {key: "off" if value is False else value for key, value in fields.items()}


def _levels(settings: Mapping[str, object]) -> Levels:
    try:
        return levels.read(_section(settings, "review"))
    except InputError:
        return Levels()
