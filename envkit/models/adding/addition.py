"""What ``envkit models add`` is given, as keys of an entry; and a name and a version, where the file's name has them.

::

    https://HOST/net_v1.0.pdparams          http; a page of the hub is the repository that it shows
    pypi:PACKAGE[==VERSION][:PATH]          pypi
    hf:ORG/NAME[@REVISION][:PATH]           huggingface
    /PATH  ~/PATH  ./PATH  file:///PATH     file
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from envkit.errors import InputError
from envkit.models import urls, versions
from envkit.models.registry import registry

_FORMS = "expected a URL, a path, pypi:PACKAGE==VERSION:PATH or hf:ORG/NAME@REVISION:PATH"
# At the end of a name, after a separator: 1.4.5, v2.0rc1, v3, 20240131.
_VERSION = re.compile(
    r"(.+?)[-_.](v?[0-9]+(?:\.[0-9]+)+(?:[-_.]?(?:a|b|rc|alpha|beta|dev|post)[.-]?[0-9]*)*(?:\+[a-z0-9.]+)?"
    r"|v[0-9]+|20[0-9]{6})",
    re.IGNORECASE,
)
# As in .../v1.2/, .../2.6.0/, .../paddle3.0.0/, .../dygraph_v2.0/.
_FOLDER = re.compile(r"(?:[a-z]+?[-_]?)??(v?[0-9]+(?:\.[0-9]+)+[a-z0-9.+]*)|(v[0-9]+)", re.IGNORECASE)
_PAGE = re.compile(r"/([^/]+/[^/]+)(?:/(?:tree|blob|resolve)/([^/]+)(?:/(.+))?)?/?")


@dataclass(frozen=True)
class Addition:
    """The source and its keys, and what is guessed; an empty ``version`` is what the source says when it is asked.

    ``from_what`` says what the guesses go by.
    """

    source: str
    values: dict[str, str]
    paths: tuple[str, ...]
    name: str
    version: str
    from_what: str


def read(given: str, paths: Sequence[str], hub: str, cwd: Path) -> Addition:
    """What ``given`` means; ``hub`` is the address of the hub, ``cwd`` what a relative path is relative to.

    Raises:
        InputError: it is nothing of these forms.
    """
    if given.startswith("pypi:"):
        return _package(given.removeprefix("pypi:"), paths)
    if given.startswith("hf:"):
        return _repository(given.removeprefix("hf:"), paths)
    if given.startswith(("http://", "https://")):
        return _page(given, paths, hub) or _url(given, paths)
    if given.startswith(("/", "~", "./", "../", "file:")) or Path(cwd, given).is_file():
        return _file(given, cwd)
    shown = urls.redacted(given) if "://" in given else repr(given)
    raise InputError(f"{shown} is nothing that can be added", hint=_FORMS)


def _package(text: str, paths: Sequence[str]) -> Addition:
    requirement, _, inside = text.partition(":")
    package, _, version = requirement.partition("==")
    wanted = (*((inside,) if inside else ()), *paths)
    name = PurePosixPath(wanted[0]).name if wanted else package
    return Addition("pypi", {"package": package}, wanted, _stem(name), version, "its path and the package's version")


def _repository(text: str, paths: Sequence[str]) -> Addition:
    place, _, inside = text.partition(":")
    repo, _, revision = place.partition("@")
    wanted = (*((inside,) if inside else ()), *paths)
    values = {"repo": repo, **({"revision": revision} if revision else {})}
    version = revision if registry.is_name(revision) and _is_release(revision) else ""
    return Addition("huggingface", values, wanted, _stem(repo.rpartition("/")[2]), version, "the repository")


def _page(url: str, paths: Sequence[str], hub: str) -> Addition | None:
    """The repository that a page of the hub shows."""
    endpoint = next((place for place in (hub, "https://huggingface.co") if url.startswith(f"{place}/")), None)
    found = _PAGE.fullmatch(unquote(urlsplit(url[len(endpoint) :]).path)) if endpoint else None
    if found is None:
        return None
    repo, revision, path = found.groups()
    return _repository(f"{repo}{f'@{revision}' if revision else ''}{f':{path}' if path else ''}", paths)


def _url(url: str, paths: Sequence[str]) -> Addition:
    if problem := urls.problem(url):
        raise InputError(f"{urls.redacted(url)}: {problem}", hint=_FORMS)
    if "@" in urlsplit(url).netloc:
        hint = "it would be in models.yaml, for all to read: put it into ~/.netrc (docs/reference/settings.md)"
        raise InputError(f"{urls.redacted(url)}: there is a password in it", hint=hint)
    name, version = guessed(unquote(urlsplit(url).path))
    return Addition("http", {"url": url}, tuple(paths), name, version, "its URL")


def _file(given: str, cwd: Path) -> Addition:
    path = given if given.startswith(("file:", "~", "/")) else os.path.normpath(cwd / given)
    name, version = guessed(urlsplit(path).path if path.startswith("file:") else path)
    return Addition("file", {"path": path}, (), name, version, "its path")


def guessed(path: str) -> tuple[str, str]:
    """A name and a version by the last part of a path, or a version by the folder nearest to it; empty where none."""
    *folders, last = path.split("/")
    stem = last.removesuffix(urls.suffix(last))
    if found := _VERSION.fullmatch(stem):
        return _stem(found[1]), found[2]
    found = next((match for folder in reversed(folders) if (match := _FOLDER.fullmatch(folder))), None)
    version = (found[1] or found[2]) if found else ""
    return _stem(stem), version if registry.is_name(version) else ""


def _stem(name: str) -> str:
    """A name as the registry allows it."""
    plain = re.sub(r"[^\w.+-]+", "_", name.removesuffix(urls.suffix(name)))
    return re.sub(r"^[\W_]+", "", plain).rstrip("._-")


def _is_release(revision: str) -> bool:
    return versions.parsed(revision) is not None and not re.fullmatch(r"[0-9a-f]{7,}", revision)
