"""Files of a repository on a hub of models: Hugging Face's, or any that speaks its protocol (``HF_ENDPOINT``).

The hub is asked which commit a revision is, which files that commit has, and what their digests are: the SHA-256 of
those kept in LFS, Git's own name for the others. Each file is then fetched like any other URL, and held to its digest.
The protocol is that of `huggingface_hub`: ``HfApi.model_info``, ``HfApi.list_repo_tree``, ``hf_hub_url``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from envkit.models import versions
from envkit.models.model import Digests
from envkit.models.sources.base import Asking, Remote

if TYPE_CHECKING:
    from envkit.models.sources.hub import Repository
    from envkit.models.transfer.announcement import Announcement

# As the hub has them: no dot or dash at either end of a name, and neither `--` nor `..` in it.
_PART = r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_COMMIT = r"[0-9a-f]{40}"
# What Git allows in no name (git-check-ref-format).
_NO_REVISION = r"\.\.|[\s\x00-\x1f\x7f~^:?*\[\\]|^[/-]|/$"


class HuggingFaceSource:
    """The locator is ``ORG/NAME@REVISION``, a branch, a tag or a commit; of one that floats, ``ORG/NAME``."""

    key = "repo"
    options = ("revision",)
    has_address = False

    def locator(self, values: Mapping[str, str]) -> str:
        if versions.is_wish(values["version"]):
            return values[self.key]
        revision = values.get("revision", "main")
        commit = re.fullmatch(_COMMIT, revision.lower())
        return f"{values[self.key]}@{commit.group() if commit else revision}"

    def problem(self, values: Mapping[str, str]) -> tuple[str, str] | None:
        if not re.fullmatch(f"{_PART}/{_PART}", values[self.key]):
            return self.key, "is not of the form ORG/NAME"
        if versions.is_wish(values["version"]) and "revision" in values:
            return "revision", "says one, and 'version' another: leave one of them out"
        if re.search(_NO_REVISION, values.get("revision", "main")):
            return "revision", "is no name of a branch, a tag or a commit"
        return None

    def is_proof(self, locator: str) -> bool:
        return bool(re.fullmatch(_COMMIT, locator.partition("@")[2]))

    def holds_many(self, locator: str) -> bool:
        del locator
        return True

    def filename(self, locator: str) -> str:
        del locator  # the paths decide, each by itself
        return ""

    def shown(self, locator: str) -> str:
        return f"the hub ({locator})"

    def versions(self, locator: str, asking: Asking) -> Mapping[str, Digests]:
        # What the files of each are, its commit says.
        return dict.fromkeys(self._repository(locator, asking).names(), Digests())

    def at(self, locator: str, version: str) -> str:
        return f"{locator}@{version}"

    def pinned(self, locator: str, asking: Asking) -> str:
        return f"{locator.partition('@')[0]}@{self._repository(locator, asking).commit()}"

    def locate(self, locator: str, paths: tuple[str, ...], asking: Asking) -> tuple[Remote, ...]:
        repository = self._repository(locator, asking)
        remotes = repository.remotes(paths)
        repository.check_access(remotes)
        return remotes

    def probe(self, locator: str, paths: tuple[str, ...], asking: Asking) -> Mapping[str, Announcement]:
        repository = self._repository(locator, asking)
        return repository.announcements(repository.remotes(paths))

    def _repository(self, locator: str, asking: Asking) -> Repository:
        # Read with the registry at every start, where nothing is asked most of the time.
        from envkit.models.sources.hub import Repository

        repo, _, revision = locator.partition("@")
        return Repository(asking, repo, revision, is_commit=self.is_proof(locator))
