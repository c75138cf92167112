"""What a terminal would show: as much of one as envkit writes for."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[(?P<number>\d*)(?P<code>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")
_HALF = re.compile(r"\x1b(\[\d*)?\Z")


class Screen:
    """Lines of text, wrapped at ``columns``. A screen that is made narrower wraps them anew, as most terminals do."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._lines = [""]
        self._rest = ""
        self._row = self._column = 0

    @property
    def lines(self) -> list[str]:
        """Without the empty ones at the end."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip("\n").split("\n")

    def feed(self, text: str) -> None:
        text = self._rest + text
        # Text comes in pieces as the kernel has them: what may be half a sequence waits for its other half.
        self._rest = text[cut.start() :] if (cut := _HALF.search(text)) else ""
        for token in _TOKEN.finditer(text.removesuffix(self._rest)):
            if code := token["code"]:
                self._obey(code, int(token["number"] or 1))
            elif token["control"] == "\r":
                self._column = 0
            elif token["control"]:
                self._down()
            else:
                for character in token["text"]:
                    self._put(character)

    def narrow(self, columns: int) -> None:
        """The cursor has to be at the start of a line."""
        assert self._column == 0
        before = _wrapped(self._lines[: self._row], columns)
        self._lines = before + _wrapped(self._lines[self._row :], columns)
        self._row = len(before)
        self.columns = columns

    def _obey(self, code: str, number: int) -> None:
        if code == "A":
            assert number <= self._row, "above all that was ever written"
            self._row -= number
            return
        assert code in "KJ"
        self._lines[self._row] = self._lines[self._row][: self._column]
        if code == "J":
            del self._lines[self._row + 1 :]

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

    def _put(self, character: str) -> None:
        if self._column == self.columns:
            self._column = 0
            self._down()
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
        self._column += 1


def _wrapped(lines: list[str], columns: int) -> list[str]:
    return [line[at : at + columns] for line in lines for at in range(0, max(len(line), 1), columns)]
