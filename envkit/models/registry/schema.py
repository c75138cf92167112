"""JSON Schema (draft 7, which editors know) of ``models.yaml`` and ``envkit.yaml``, made from the tables of their keys.

An editor with it completes keys and sources, shows what each is for, and marks what cannot be right; what it marks is
less than what `registry` refuses. `schemas/` has both as files; a project's own copy is named in the first line of its
``models.yaml``: ``# yaml-language-server: $schema=…``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from envkit.models.locking import committed
from envkit.models.registry import keys, setting_keys, shapes
from envkit.models.registry.shapes import Shape
from envkit.models.sources import SOURCES
from envkit.models.store.hand import Hand

_DRAFT = "http://json-schema.org/draft-07/schema#"
_INDEX = "index_url"
MODELS, SETTINGS = "models.schema.json", "envkit.schema.json"
"""What the files are called."""


def models() -> Shape:
    """The schema of ``models.yaml``."""
    listed = {"type": ["array", "null"], "items": {"$ref": "#/definitions/model"}}
    metrics = {
        "type": ["object", "null"],
        "additionalProperties": {
            "type": "object",
            "properties": shapes.DECLARED,
            "additionalProperties": False,
        },
    }
    return {
        "$schema": _DRAFT,
        "title": "models.yaml of envkit",
        "description": "The models of a project, each with where it comes from and what proves its bytes.",
        "type": "object",
        "required": ["models"],
        "properties": {
            "models": {"description": keys.TOP["models"], **listed},
            "metrics": {"description": keys.TOP["metrics"], **metrics},
        },
        "definitions": {"model": _model()},
    }


def settings() -> Shape:
    """The schema of ``envkit.yaml``."""
    return {
        "$schema": _DRAFT,
        "title": "envkit.yaml",
        "description": "The settings of a project for envkit. An empty file has the default of each.",
        "type": ["object", "null"],
        "properties": {key.name: _property(key) for key in setting_keys.KEYS},
        "additionalProperties": False,
    }


def texts() -> Mapping[str, str]:
    """Both as the text of the file by its name."""
    return {
        name: f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n"
        for name, schema in ((MODELS, models()), (SETTINGS, settings()))
    }


def write(folder: Path) -> None:
    """Write both into a folder that is there, each whole or not at all."""
    for name, text in texts().items():
        committed.write(folder / name, text.encode(), Hand())


_FLOATING = {
    "if": {
        "properties": {
            "source": {"enum": [name for name, source in SOURCES.items() if _INDEX in source.options]},
            "version": {"pattern": f"^{shapes.WISH}$", "type": "string"},
        },
        "required": ["source", "version"],
    },
    "then": {"required": [_INDEX]},
}
"""What lists the versions has to be named, where one is to be chosen and the source itself has no list."""


def _property(key: keys.Key) -> Shape:
    return {"description": key.description, **key.shape}


def _model() -> Shape:
    properties = {key.name: _property(key) for key in keys.KEYS}
    told = [keys.SOURCES[name] for name in SOURCES]
    properties["source"] = {**properties["source"], "enum": list(SOURCES), "enumDescriptions": told}
    return {
        "type": "object",
        "description": "One model. Every other key is free: envkit keeps it, and does nothing by it.",
        "required": list(keys.ALWAYS),
        "properties": properties,
        "allOf": [*(_of_source(name) for name in SOURCES), _FLOATING],
    }


def _of_source(name: str) -> Shape:
    """What an entry needs that has a source of this name."""
    source = SOURCES[name]
    needed = [source.key, *keys.ALSO_NEEDED.get(name, ())]
    path = shapes.PATH_OF_FILE if source.key == keys.MEMBERS else shapes.PATH_INSIDE
    return {
        "if": {"properties": {"source": {"const": name}}, "required": ["source"]},
        "then": {"required": needed, "properties": {keys.MEMBERS: path}},
    }
