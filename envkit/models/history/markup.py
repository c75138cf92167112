"""HTML and SVG put together so that nothing is ever there unescaped by accident."""

from __future__ import annotations

import html
import re

# Not allowed in HTML, however they are written.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_VOID = ("meta", "input", "br")


class Markup(str):
    """Text that is markup already; all other text is escaped where it becomes part of some."""

    __slots__ = ()


Child = str | None
Attribute = str | float | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """An element. An attribute of None or False is left away; ``class_``, ``data_tip`` are ``class``, ``data-tip``."""
    written = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Several pieces as one; None is nothing."""
    return Markup("".join(child if isinstance(child, Markup) else _escaped(child) for child in children if child))


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{_escaped(f"{value:.6g}" if isinstance(value, float) else str(value))}"'


def _escaped(text: str) -> str:
    return html.escape(_CONTROL.sub("�", text))
