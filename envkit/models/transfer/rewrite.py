"""Other addresses for those in the registry, as an intranet has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """Beginnings of URLs and what stands in their place. The longest that fits wins, as with Git's ``insteadOf``."""

    prefixes: tuple[tuple[str, str], ...] = ()

    def apply(self, url: str) -> str:
        fitting = [(old, new) for old, new in self.prefixes if url.startswith(old)]
        if not fitting:
            return url
        old, new = max(fitting, key=lambda rule: len(rule[0]))
        return new + url[len(old) :]
