"""What of a file had arrived, and was on the disk, when it was last written down.

A journal is a hint, never a proof: it says which bytes need not be fetched again, and the digests of the whole file
judge whether that was so. One that is torn, damaged or of another version is no journal.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from envkit.models.transfer.pieces import Spans, merged

_SCHEMA = 1


@dataclass(frozen=True)
class Journal:
    """``source`` tells one URL from another without naming it (it may hold a secret); sizes and ranges in bytes."""

    source: str
    validator: str | None
    size: int
    done: Spans

    def within(self, length: int) -> Journal:
        """What of it can be true of a file that has ``length`` bytes now."""
        spans = ((start, min(end, length, self.size)) for start, end in self.done)
        return replace(self, done=merged(spans))

    def dumps(self) -> bytes:
        """Two lines: what is to be said, and its digest."""
        line = json.dumps(
            {
                "schema": _SCHEMA,
                "source": self.source,
                "validator": self.validator,
                "size": self.size,
                "done": self.done,
            }
        ).encode()
        return line + b"\n" + _check(line) + b"\n"


def loads(data: bytes) -> Journal | None:
    """The journal, or None if this is not one, whole and unharmed."""
    line, _, rest = data.partition(b"\n")
    if rest != _check(line) + b"\n":
        return None
    try:
        found = json.loads(line)
        size = found["size"]
        if found["schema"] != _SCHEMA or not isinstance(size, int):
            return None
        spans = [(start, end) for start, end in found["done"]]
        if not all(type(offset) is int for span in spans for offset in span):
            return None
        done = merged((max(0, start), end) for start, end in spans)
        validator = found["validator"]
        return Journal(str(found["source"]), None if validator is None else str(validator), size, done).within(size)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def source_of(url: str) -> str:
    """What tells this URL from another."""
    return hashlib.sha256(url.encode()).hexdigest()


def _check(line: bytes) -> bytes:
    return hashlib.sha256(line).hexdigest().encode()
