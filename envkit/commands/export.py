"""``envkit export``: the services in another tool's format."""

from __future__ import annotations

from typing import Literal

from envkit.launch.render.compose import compose
from envkit.result import Result
from envkit.settings import Settings


def export(_settings: Settings, _format: Literal["compose"]) -> Result:
    """The text of ``compose.yaml``; it is the same for every project and machine."""
    text = compose()
    return Result(data={"compose": text}, lines=text.splitlines())
