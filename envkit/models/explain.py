"""Why a model is not in place, in words: where, what, from where, expected and got side by side, the next step."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from envkit.errors import ModelError
from envkit.models.model import Model, NoSourceError, WrongBytesError
from envkit.models.registry import Registry


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
    error = failure.error
    lines = [f"{registry.file}:{model.line}: {model}: {error.message}", *_details(error, failure.origin)]
    return "\n  ".join(lines)


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
