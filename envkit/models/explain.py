"""Why a model is not in place, in words: where, what, from where, expected and got side by side, the next step."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from envkit.errors import ModelError, Problem
from envkit.models.model import Model, NoSourceError, WrongBytesError
from envkit.models.registry.registry import Registry
from envkit.models.sources import SOURCES


@dataclass(frozen=True)
class Failure:
    """Why a model could not be had or proven, and where it came from or should have, in words free of secrets."""

    error: ModelError
    origin: str


def failure_of(error: ModelError | OSError, origin: str) -> Failure:
    """A failure at ``origin``; where one real address is behind that, both are named."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = (
            "what arrived is kept; make room there (`envkit models gc`), or name a store on another disk: ENVKIT_STORE"
        )
        return Failure(ModelError(f"{error.filename or 'the store'}: {error.strerror}", hint=hint), origin)
    if isinstance(error, OSError):
        return Failure(ModelError(f"{error.filename or 'checkpoints'}: {error.strerror or error}"), origin)
    if isinstance(error, NoSourceError) and len(error.blames) == 1:
        (blame,) = error.blames
        return Failure(blame.error, blame.origin if blame.origin == origin else f"{blame.origin}, named by {origin}")
    return Failure(error, origin)


def explain(registry: Registry, model: Model, failure: Failure) -> str:
    """One paragraph about one model."""
    return str(problem(registry, model, failure))


def problem(
    registry: Registry,
    model: Model,
    failure: Failure,
    *,
    rule: str = "bytes",
    path: str = "",
    key: str | None = None,
) -> Problem:
    """The same as a problem at ``key`` of the entry, None for the one that it is about.

    ``path`` is the file of the model's set that failed.
    """
    error, of = failure.error, f" {path}:" if path else ""
    hint = "\n  ".join(_details(error, failure.origin))
    place = model.place(key or _key(model, error))
    return Problem(registry.file, *place, f"{model}:{of} {error.message}", hint, rule)


def _key(model: Model, error: ModelError) -> str:
    """The key that says what the bytes have to be where they are not that, else the one that says where they are."""
    errors = [blame.error for blame in error.blames] if isinstance(error, NoSourceError) else [error]
    wrong = (found.mismatches for found in errors if isinstance(found, WrongBytesError))
    differing = [mismatch.what for mismatches in wrong for mismatch in mismatches]
    return next((key for key in differing if key in model.marks), SOURCES[model.artifact.source].key)


def told(failure: Failure) -> str:
    """The same of what is in no file yet."""
    return "\n  ".join([failure.error.message, *_details(failure.error, failure.origin)])


def _details(error: ModelError, origin: str) -> Iterator[str]:
    if isinstance(error, NoSourceError):
        for blame in error.blames:
            yield f"from {blame.origin}: {blame.error.message}"
            yield from (f"  {line}" for line in _evidence(blame.error))
    else:
        yield f"from {origin}"
        yield from _evidence(error)


def _evidence(error: ModelError) -> Iterator[str]:
    for mismatch in error.mismatches if isinstance(error, WrongBytesError) else ():
        yield f"expected {mismatch.what} {mismatch.expected}"
        yield f"got      {mismatch.what} {mismatch.got}"
    if error.hint:
        yield error.hint
