"""What every kind of source answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from envkit.models.transfer.location import Location

if TYPE_CHECKING:
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

    def locator(self, values: Mapping[str, str]) -> str:
        return values[self.key]

    def is_proof(self, locator: str) -> bool:
        del locator  # another file may come to be there
        return False

    def holds_many(self, locator: str) -> bool:
        del locator
        return False


class Source(Protocol):
    """A kind of source. A locator is what an artifact goes by: the values of the source's keys in ``models.yaml``."""

    @property
    def key(self) -> str:
        """The key of ``models.yaml`` that says where: required, and no other source's is allowed beside it."""

    @property
    def options(self) -> tuple[str, ...]:
        """Further keys of its own, which may be left away."""

    def locator(self, values: Mapping[str, str]) -> str:
        """The locator for the values of `key` and `options` that an entry gives."""

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        """A key whose value is none, and why as the end of a sentence that begins with the key; None if all is well."""

    def is_proof(self, locator: str) -> bool:
        """Whether the locator by itself pins the bytes, so that an entry may go without a digest."""

    def holds_many(self, locator: str) -> bool:
        """Whether the artifact is a set of files, of which an entry's ``path`` picks some, and not one file."""

    def filename(self, locator: str) -> str:
        """A file name for the artifact, as far as the locator tells: its suffix decides what the artifact is."""

    def shown(self, locator: str) -> str:
        """The locator for a person to read, without secrets."""

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        """Where to fetch the artifact's files from: one, or those of a set that lie at or below ``paths`` (none: all).

        May ask the network; raises `ModelError` where that has no answer.
        """

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> int | None:
        """Ask whether the artifact could be had, without its bytes; its size in bytes where the source tells.

        Raises `ModelError` where it could not.
        """
