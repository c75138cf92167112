"""Kinds of sources, by the name that ``models.yaml`` calls them. To add one: CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Mapping

from envkit.models.sources.base import Asking, Hub, Remote, Source, Tick
from envkit.models.sources.file import FileSource
from envkit.models.sources.http import HttpSource
from envkit.models.sources.huggingface import HuggingFaceSource
from envkit.models.sources.pypi import PypiSource

__all__ = ["SOURCES", "Asking", "Hub", "Remote", "Source", "Tick"]

SOURCES: Mapping[str, Source] = {
    "file": FileSource(),
    "http": HttpSource(key="url"),
    "huggingface": HuggingFaceSource(),
    "model_zoo_official": HttpSource(key="weights_url"),
    "paddlehub": HttpSource(key="hub_url"),
    "pypi": PypiSource(),
}
