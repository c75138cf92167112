"""Kinds of sources, by the name that ``models.yaml`` calls them. To add one: CONTRIBUTING.md."""

from __future__ import annotations

from collections.abc import Mapping

from envkit.models.sources.base import Location, Source, Tick
from envkit.models.sources.http import HttpSource
from envkit.models.sources.pypi import PypiSource

__all__ = ["SOURCES", "Location", "Source", "Tick"]

SOURCES: Mapping[str, Source] = {
    "http": HttpSource(key="url"),
    "model_zoo_official": HttpSource(key="weights_url"),
    "paddlehub": HttpSource(key="hub_url"),
    "pypi": PypiSource(),
}
