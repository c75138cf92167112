"""The entry that an addition becomes: first what is asked of its source, then what came of that."""

from __future__ import annotations

from dataclasses import dataclass

from envkit.errors import InputError
from envkit.models import urls, versions
from envkit.models.adding import insertion
from envkit.models.adding.addition import Addition
from envkit.models.adding.insertion import Fields
from envkit.models.locking.measure import Measured
from envkit.models.model import Model
from envkit.models.registry import registry

_SHORT = 12  # digits of a commit, where that is all there is for a version
_UNKNOWN = "0"  # a version to ask with, where the commit will be that


@dataclass(frozen=True)
class Draft:
    """An addition under a name and a version (empty: what its source says), with metadata of the caller's."""

    addition: Addition
    name: str
    version: str
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def asked(self) -> Fields:
        """The entry by which its source is asked which version, and which bytes."""
        if self.addition.source == "pypi":
            version = self.version or versions.STABLE
            return self._fields(version, self._package(version))
        return self._fields(self.version or _UNKNOWN, self.addition.values)

    def made(self, chosen: Model, measured: Measured) -> Fields:
        """The entry for what was chosen and measured: exact, unless its version is a wish."""
        if versions.is_wish(self.version):
            return {**self.asked, **dict(self.metadata)}
        values, version = dict(self.addition.values), self.version
        if self.addition.source == "pypi":
            version = self.version or chosen.version
            values = self._package(chosen.version)
        elif self.addition.source == "huggingface":
            commit = chosen.artifact.locator.partition("@")[2]
            version, values = self.version or commit[:_SHORT], {**values, "revision": commit}
        return {**self._fields(version, values), **_digests(measured), **dict(self.metadata)}

    def _package(self, version: str) -> dict[str, str]:
        """The requirement: with the version that was given for the package, else that of the entry."""
        package, exact = self.addition.values["package"], self.addition.version or version
        return {"package": package if versions.is_wish(exact) else f"{package}=={exact}"}

    def _fields(self, version: str, values: dict[str, str]) -> Fields:
        head = {"name": self.name, "version": version, "source": self.addition.source, **values}
        paths = self.addition.paths
        return {**head, **({"path": paths[0] if len(paths) == 1 else paths} if paths else {})}


def model(entry: Fields) -> Model:
    """The model that an entry describes.

    Raises:
        InputError: it is none, with the reasons that the registry has.
    """
    try:
        return registry.parse("models:\n" + insertion.block(entry)).models[0]
    except InputError as error:
        # The lines are of no file that anybody has.
        told = [problem.message + (f"\n  {problem.hint}" if problem.hint else "") for problem in error.problems]
        raise InputError("\n".join(told)) from error


def _digests(measured: Measured) -> Fields:
    """Those of one file; a set has those of its commit."""
    if len(measured.files) != 1 or measured.files[0].path:
        return {}
    known = measured.files[0].digests
    found = {"md5": known.md5, "sha256": known.sha256, "size": known.size}
    return {key: value for key, value in found.items() if value is not None}


def shown(addition: Addition) -> str:
    """What is added, for a person to read."""
    return " ".join(urls.redacted(value) if "://" in value else value for value in addition.values.values())
