"""The keys of ``envkit.yaml`` in one table, as `schema` tells editors; `settings` reads them, and has the last word."""

from __future__ import annotations

from envkit.models.registry import shapes
from envkit.models.registry.keys import Key
from envkit.models.registry.shapes import Shape

_URL_START = r"^https?://\S+$"
_VERDICT: Shape = {"enum": ["fail", "warn", "off"]}
_GATES = {
    "regression": "A metric that is worse by more than its tolerance.",
    "digest": "Other bytes under the same version.",
    "evidence": "A new or changed model without a benchmark.",
    "licence": "Another licence than before.",
    "size": "A model that grew by more than growth.",
    "usage": "Code or configurations that name a model which is gone.",
    "docs": "A change of a model with none in the documents.",
    "rules": "A change of what the review itself goes by.",
}
_GROWTH: Shape = {
    **shapes.NUMBER,
    "description": "The part of its size by which a model may grow unremarked.",
    "examples": ["20%"],
}
_PRESETS: Shape = {
    "enum": ["exact", "stable", "floating"],
    "enumDescriptions": [
        "One version, locked, with md5 or sha256 that is no placeholder: for what others rely on.",
        "The latest stable version, locked: no pre-release.",
        "Any version, also one of several.",
    ],
}
_RULES: Shape = {
    "type": "object",
    "properties": {
        "versions": {"description": "Which versions an entry may name.", "enum": ["exact", "stable", "floating"]},
        "prereleases": {"description": "Whether a version before its release will do.", "type": "boolean"},
        "locked": {"description": "Whether models.lock.yaml has to have every entry.", "type": "boolean"},
        "digests": {"description": "Whether md5 or sha256 has to be there.", "type": "boolean"},
        "placeholders": {"description": "Whether the MD5 of an empty file will do.", "type": "boolean"},
    },
    "additionalProperties": False,
}

KEYS = (
    Key(
        "models",
        "What a model that is not proven does at a start: strict stops it, warn says it in the log, off does not look.",
        {"enum": ["strict", "warn", "off"], "default": "strict"},
    ),
    Key(
        "variant",
        "Which image: cpu, gpu, or auto for the one that this machine can run.",
        {"enum": ["auto", "cpu", "gpu"], "default": "auto"},
    ),
    Key("image", "An image to use in place of the one that envkit builds.", {"type": "string"}),
    Key("base", "An image to build on in place of the default base.", {"type": "string"}),
    Key(
        "notebook",
        "The notebook that envkit up jupyter points to, relative to the project.",
        {"type": "string", "pattern": r"^(?![/])(?!(?:.*/)?\.\.(?:/|$))", "examples": ["notebooks/start.ipynb"]},
    ),
    Key(
        "store",
        "The folder of the store: an absolute path, the same wherever the project is used.",
        {"type": "string", "pattern": "^[/~]", "examples": ["/srv/envkit-store"]},
    ),
    Key(
        "limit_rate",
        "Bytes per second for all downloads together, by 1024; 1K at least.",
        {
            "type": ["string", "integer"],
            "pattern": r"^(?:[0-9]{1,15}(?:\.[0-9]+)?[kKmMgG]|[0-9]{1,15})$",
            "minimum": 1024,
            "examples": ["500K", "50M", "1.5G"],
        },
    ),
    Key(
        "rewrite",
        "Beginnings of URLs, each with what to put in its place: a mirror's address for the one in models.yaml.",
        {
            "type": ["object", "null"],
            "propertyNames": {"pattern": _URL_START},
            "additionalProperties": {"type": "string", "pattern": _URL_START},
            "examples": [{"https://huggingface.co/": "https://mirror.example/hf/"}],
        },
    ),
    Key(
        "policy",
        "What a branch allows, by its name or a pattern such as feature/*: exact, stable, floating, or rule by rule.",
        {
            "type": ["object", "null"],
            "additionalProperties": {"anyOf": [_PRESETS, _RULES]},
            "examples": [{"main": "exact", "develop": "stable", "feature/*": "floating"}],
        },
    ),
    Key(
        "review",
        "What a gate of envkit models diff does when something does not pass it: fail, warn, or off.",
        {
            "type": ["object", "null"],
            "properties": {
                **{gate: {"description": told, **_VERDICT} for gate, told in _GATES.items()},
                "growth": _GROWTH,
            },
            "additionalProperties": False,
        },
    ),
)
