"""What every kind of source answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from envkit.models.model import Digests
from envkit.models.transfer.location import Location

if TYPE_CHECKING:
    from envkit.models.transfer.announcement import Announcement
    from envkit.models.transfer.http import Http

Tick = Callable[[], None]
"""Called several times a second while a source waits for a program; what it raises ends the waiting."""


@dataclass(frozen=True)
class Hub:
    """A hub of models that speaks Hugging Face's protocol: its address, and a token for it."""

    endpoint: str = "https://huggingface.co"
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Asking:
    """What a source may use to find out where something is."""

    http: Http
    tick: Tick
    hub: Hub = Hub()


@dataclass(frozen=True)
class Remote:
    """One file of an artifact. ``path`` is where it belongs in the artifact: empty where it is the artifact."""

    path: str
    location: Location


class OneFile:
    """What sources have in common whose artifact is one file, named by the value of one key."""

    key: str
    options: tuple[str, ...] = ()
    has_address = False

    def locator(self, values: Mapping[str, str]) -> str:
        return values[self.key]

    def is_proof(self, locator: str) -> bool:
        del locator  # another file may come to be there
        return False

    def holds_many(self, locator: str) -> bool:
        del locator
        return False

    def versions(self, locator: str, asking: Asking) -> Mapping[str, Digests]:
        raise NotImplementedError(f"{self.key}: {locator} does not float")

    def at(self, locator: str, version: str) -> str:
        raise NotImplementedError(f"{self.key}: {locator} does not float, to become {version}")

    def pinned(self, locator: str, asking: Asking) -> str:
        del asking
        return locator


class Source(Protocol):
    """A kind of source. A locator is what an artifact goes by: the values of the source's keys in ``models.yaml``."""

    @property
    def key(self) -> str:
        """The key of ``models.yaml`` that says where: required, and no other source's is allowed beside it."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further keys of its own, which may be left away."""

    @property
    def has_address(self) -> bool:
        """Whether its locator is a URL that is the same for everybody: not so of an index or a hub with mirrors."""

    def locator(self, values: Mapping[str, str]) -> str:
        """The locator for the values of `key`, `options` and ``version`` that an entry gives."""

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        """A key whose value is none, and why as the end of a sentence that begins with the key; None if all is well.

        Where the version is a wish (`versions.is_wish`), one is that the source cannot say what versions there are.
        """

    def is_proof(self, locator: str) -> bool:
        """Whether the locator by itself pins the bytes, so that an entry may go without a digest."""

    def holds_many(self, locator: str) -> bool:
        """Whether the artifact is a set of files, of which an entry's ``path`` picks some, and not one file."""

    def filename(self, locator: str) -> str:
        """A file name for the artifact, as far as the locator tells: its suffix decides what the artifact is."""

    def shown(self, locator: str) -> str:
        """The locator for a person to read, without secrets."""

    def versions(self, locator: str, asking: Asking) -> Mapping[str, Digests]:
        """Ask which versions there are of what floats, in no order, and what is said of the bytes of each.

        Raises `ModelError` where that has no answer.
        """

    def at(self, locator: str, version: str) -> str:
        """The locator of one version of what floats."""

    def pinned(self, locator: str, asking: Asking) -> str:
        """The locator whose files are always the same, as far as the source has one: of a branch its commit now.

        May ask the network; raises `ModelError` where that has no answer.
        """

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        """Where to fetch the artifact's files from: one, or those of a set that lie at or below ``paths`` (none: all).

        May ask the network; raises `ModelError` where that has no answer.
        """

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> Mapping[str, Announcement]:
        """Ask whether the artifact could be had, without its bytes: what is told of each file, by `Remote.path`.

        Raises `ModelError` where it could not.
        """
