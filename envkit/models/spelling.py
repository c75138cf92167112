"""Which known word somebody meant."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` looks like a slip of: other case, ``-`` for ``_``, or a keystroke or so away.

    One slip in a short word, two in one of eight letters or more: `resource` is not `source`.
    """
    plain = word.lower().replace("-", "_")
    best = min(known, key=lambda candidate: distance(plain, candidate), default=None)
    if best is None:
        return None
    return best if distance(plain, best) <= (2 if len(best) >= 8 else 1) else None


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
