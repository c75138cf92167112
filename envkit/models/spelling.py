"""Which known word somebody meant."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` looks like a slip of: other case, ``-`` for ``_``, or a keystroke or so away.

    One slip in a short word, two in one of eight letters or more: `resource` is not `source`.
    """
    plain = word.lower().replace("-", "_")
    letters = set(plain)
    # Each slip changes the length by one at most, and which letters there are by two: others need not be measured.
    alike = (
        candidate for candidate in known if abs(len(candidate) - len(plain)) <= 2 and len(letters ^ set(candidate)) <= 4
    )
    best = min(alike, key=lambda candidate: distance(plain, candidate), default=None)
    if best is None:
        return None
    return best if distance(plain, best) <= (2 if len(best) >= 8 else 1) else None


def meant(word: str, known: Iterable[str]) -> str | None:
    """The same as a question, for a hint."""
    found = near(word, known)
    return f"did you mean {found!r}?" if found else None


def distance(left: str, right: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment)."""
    above: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        above, last, row = row, above, [i]
        for j, b in enumerate(right, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]


def beginning(word: str, known: Iterable[str]) -> str | None:
    """The one known word that begins with ``word`` (`model_zoo`), as long as that says something."""
    plain = word.lower().replace("-", "_")
    found = [candidate for candidate in known if candidate.startswith(plain)]
    return found[0] if len(found) == 1 and len(plain) >= 4 else None
