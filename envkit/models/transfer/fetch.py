"""One file from wherever it can be had: place after place, try after try, until its digests match.

Nothing gets out of here that was not proven. What cannot be proven is blamed on its source by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from envkit.errors import ModelError
from envkit.models import urls
from envkit.models.model import PLACEHOLDER_MD5, Blame, Digests, NoRoomError, NoSourceError, WrongBytesError
from envkit.models.progress import Meter
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.download import SMALL, Download, RestartError
from envkit.models.transfer.http import Http
from envkit.models.transfer.line import Line
from envkit.models.transfer.location import Location
from envkit.models.transfer.partial import Partial, Partials

PLACEHOLDER = "that md5 is the one of an empty file, a placeholder: if these bytes are right, write their own"
CHANGED = "the bytes changed where they come from, or models.yaml is wrong; checkpoints/ is as it was"

_MOST_RESTARTS = 3


@dataclass(frozen=True)
class Fetched:
    """A file that is what it should be, at ``path``, to be moved from there.

    ``origin`` is where it came from in words free of secrets, ``place`` which of the places that was, and ``told`` what
    its server said of it.
    Until `close` it is ours as it was while it came: no other process takes it for a dead one's, and a process that is
    killed before it is moved leaves what the next can go on with.
    """

    partial: Partial
    digests: Digests
    origin: str
    place: Location
    told: Announcement | None

    @property
    def path(self) -> Path:
        return self.partial.path

    def close(self) -> None:
        self.partial.keep()


@dataclass(frozen=True)
class Wanted:
    """A file by what it has to be, the places to try in order, and the name its partial files go by.

    ``blames`` are places that were tried before.
    """

    expected: Digests
    places: tuple[Location, ...]
    key: str
    blames: tuple[Blame, ...] = ()

    @property
    def may_be_large(self) -> bool:
        return self.expected.size is None or self.expected.size > SMALL


def fetch(wanted: Wanted, partials: Partials, line: Line, meter: Meter, say: Callable[[str], None]) -> Fetched:
    """Get the file into the folder of ``partials``, going on with what a dead process left of it there.

    Raises:
        NoSourceError: no place has it to give, or what it gives are other bytes.
        NoRoomError: the disk is too small for it.
        OSError: the disk does not take it.
    """
    left = partials.adopt(wanted.key) if wanted.may_be_large else None
    partial = left or partials.create(wanted.key)
    blames = list(wanted.blames)
    try:
        for place in wanted.places:
            origin = shown(place, line.http)
            try:
                got, told = _from_one_place(wanted, place, partial, line, meter, say)
                partial.finish(got.size or 0)
                return Fetched(partial, got, origin, place, told)
            except NoRoomError:
                raise
            except ModelError as error:
                line.crew.check()
                blames.append(Blame(origin, error))
                if place != wanted.places[-1]:
                    say(f"{origin}: {error.message}; trying the next place")
    except BaseException:
        partial.keep()
        raise
    partial.keep()
    raise NoSourceError(tuple(blames))


def shown(place: Location, http: Http) -> str:
    """A place for a person to read, without secrets: where it is really asked for, and what it was called."""
    real = http.rules.apply(place.url)
    return urls.redacted(real) + (f" (for {urls.redacted(place.url)})" if real != place.url else "")


def _from_one_place(
    wanted: Wanted, place: Location, partial: Partial, line: Line, meter: Meter, say: Callable[[str], None]
) -> tuple[Digests, Announcement | None]:
    expected = wanted.expected.over(place.digests)
    failures, restarts, single, doubted = 0, 0, False, False
    while True:
        download = Download(line, place, expected, partial, meter, say, partial.begin(), single)
        try:
            got = download.run()
        except RestartError as error:
            restarts += 1
            if restarts > _MOST_RESTARTS:
                raise
            say(f"{error.message}: starting anew")
            partial.reset()
            single = error.single or restarts > 1
            continue
        except TransientError as error:
            failures += 1
            delay = None if download.persistent else line.backoff.delay(failures, error)
            if delay is None:
                raise
            say(f"{error.message}; trying again in {delay:.1f} s")
            line.crew.pause(delay)
            continue
        mismatches = expected.mismatches(got)
        if not mismatches:
            return got, download.told
        partial.reset()
        if doubted or is_final(wanted.expected, place, got):
            hint = why(wanted.expected, place, got)
            raise WrongBytesError("other bytes than models.yaml names", mismatches, hint=hint)
        # A bit may have turned over on the way, or what was there before was not what its journal said.
        say("other bytes than expected came: once more, from the start")
        doubted = single = True


def is_final(expected: Digests, place: Location, got: Digests) -> bool:
    """Whether the place means these bytes: it announced them, or they are a placeholder's doing."""
    announced = place.digests.sha256
    return (announced is not None and announced == got.sha256) or expected.md5 == PLACEHOLDER_MD5


def why(expected: Digests, place: Location, got: Digests) -> str:
    """Why a place has other bytes, as far as that can be told from here, and what would mend it."""
    announced = place.digests.sha256
    if expected.md5 == PLACEHOLDER_MD5:
        return PLACEHOLDER
    if announced is not None and announced == got.sha256:
        return "the source announces these very bytes: models.yaml is wrong, or they were replaced there"
    return CHANGED
