"""A hub of models, asked about one repository; and why it does not answer, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from envkit.errors import ModelError
from envkit.models import urls
from envkit.models.model import Digests
from envkit.models.sources import tree
from envkit.models.sources.base import Asking, Remote
from envkit.models.transfer.announcement import Announcement
from envkit.models.transfer.answers import StatusError
from envkit.models.transfer.location import Location

_MOST_PAGES = 1000  # of a thousand files each, as Hugging Face has them
_UNKNOWN = Digests()
_US = "the hub"


@dataclass(frozen=True)
class Repository:
    """A repository at a revision. What is asked of it raises `ModelError` where the hub has no answer or gives none."""

    asking: Asking
    repo: str
    revision: str
    is_commit: bool

    def remotes(self, paths: tuple[str, ...]) -> tuple[Remote, ...]:
        """The files that ``paths`` pick (see `tree.choose`), each with what the hub says its bytes are.

        Each by its path in the repository; a single file that is named by its own path is the artifact itself.
        """
        commit = self.commit()
        with self._read():
            files = self._files(f"api/models/{self.repo}/tree/{commit}")
        alone = urls.are_one_file(paths)
        return tuple(
            Remote("" if alone else path, self._location(f"{self.repo}/resolve/{commit}/{quote(path)}", files[path]))
            for path in tree.choose(paths, files, f"{self.repo} at {self.revision!r}")
        )

    def commit(self) -> str:
        """The commit that the revision is now."""
        if self.is_commit:
            return self.revision
        with self._read():
            # A revision may have a slash in it, as `refs/pr/1` has.
            return tree.commit(self._asked(f"api/models/{self.repo}/revision/{quote(self.revision, safe='')}")[0])

    def names(self) -> tuple[str, ...]:
        """Its tags and branches."""
        with self._read():
            return tree.names(self._asked(f"api/models/{self.repo}/refs")[0])

    def check_access(self, remotes: tuple[Remote, ...]) -> Mapping[str, Announcement]:
        """Ask for the headers of the largest file: the hub shows everybody what a gated repository has."""
        largest = max(remotes, key=lambda remote: remote.location.digests.size or 0)
        try:
            return {largest.path: self.asking.http.probe(largest.location)}
        except StatusError as error:
            raise self._explained(error) from error

    def announcements(self, remotes: tuple[Remote, ...]) -> Mapping[str, Announcement]:
        """What the hub's list says of each file, and the headers of the one that was asked for."""
        listed = {
            remote.path: Announcement.listed(remote.location.digests, _US, remote.location.url) for remote in remotes
        }
        asked = self.check_access(remotes)
        return listed | {path: listed[path].over(told) for path, told in asked.items()}

    @contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except tree.OddAnswerError as error:
            hint = "is it a hub of models? HF_ENDPOINT names it"
            raise ModelError(f"{urls.redacted(self.asking.hub.endpoint)} answered with {error}", hint=hint) from error

    def _files(self, path: str) -> tree.Tree:
        found: dict[str, Digests] = {}
        query = "recursive=true"
        for _ in range(_MOST_PAGES):
            self.asking.tick()
            page, following = self._asked(f"{path}?{query}")
            found |= tree.files(page)
            if following is None:
                return found
            # Its place in the list alone: mirrors pass on the address of the hub behind them, which may be out of
            # reach, and has no business with a token for the mirror (huggingface_hub#3646, hf-mirror-site#65).
            query = following.partition("?")[2]
        raise tree.OddAnswerError("a list of files without end")

    def _asked(self, path: str) -> tuple[Any, str | None]:
        try:
            return self.asking.http.json(self._location(path))
        except StatusError as error:
            raise self._explained(error) from error

    def _location(self, path: str, digests: Digests = _UNKNOWN) -> Location:
        hub = self.asking.hub
        if problem := urls.problem(hub.endpoint):
            raise ModelError(f"the hub's address, HF_ENDPOINT, {problem}")
        return Location(f"{hub.endpoint}/{path}", f"Bearer {hub.token}" if hub.token else None, digests)

    def _explained(self, error: StatusError) -> ModelError:
        """By the hub's own word for it where there is one, else by the status: not every mirror passes the word on."""
        page = f"{urls.redacted(self.asking.hub.endpoint)}/{self.repo}"
        known = self.asking.hub.token is not None
        reader = "the token's account" if known else "an account, its token in HF_TOKEN"
        refused = error.status == 401 and known and error.code is None
        reasons = {
            "GatedRepo": (f"{self.repo} is gated", f"ask for it with {reader}: {page}"),
            "RevisionNotFound": (f"{self.repo} has no revision {self.revision!r}", f"those it has: {page}"),
            "EntryNotFound": (f"the hub lists files of {self.repo} that it does not have", "try another HF_ENDPOINT"),
            401: ("the hub does not accept the token", "it is from HF_TOKEN, or from `hf auth login`"),
            403: (f"the hub refuses {self.repo}", f"may it be read with {reader}? {page}"),
            # A stranger is not told that a private one exists.
            404: (f"there is no {self.repo} at {self.revision!r}", f"look for a slip: {page}; or it needs {reader}"),
        }
        by_status = reasons.get(404 if error.status == 401 and not refused else error.status)
        message, hint = reasons.get(error.code or "", by_status) or (error.message, error.hint)
        return ModelError(message, hint=hint)
