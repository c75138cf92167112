"""Why a model is not in place, in words: where, what, from where, expected and got side by side, the next step."""

from __future__ import annotations

from dataclasses import dataclass

from envkit.errors import ModelError
from envkit.models.model import Model, WrongBytesError
from envkit.models.registry import Registry


@dataclass(frozen=True)
class Failure:
    """Why a model could not be had or proven, and where it came from or should have, in words free of secrets."""

    error: ModelError
    origin: str


def explain(registry: Registry, model: Model, failure: Failure) -> str:
    """One paragraph about one model."""
    error = failure.error
    lines = [f"{registry.file}:{model.line}: {model}: {error.message}", f"from {failure.origin}"]
    for mismatch in error.mismatches if isinstance(error, WrongBytesError) else ():
        lines.append(f"expected {mismatch.what} {mismatch.expected}")
        lines.append(f"got      {mismatch.what} {mismatch.got}")
    if error.hint:
        lines.append(error.hint)
    return "\n  ".join(lines)
