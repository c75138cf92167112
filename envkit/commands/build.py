"""``envkit build``: the image, built whether it is there or not; what has not changed is taken from the cache."""

from __future__ import annotations

import time

from envkit.launch import build as builds
from envkit.launch.spec import Variant
from envkit.result import Report, Result
from envkit.settings import Settings


def build(settings: Settings, *, variant: Variant, base: str | None, no_cache: bool, report: Report) -> Result:
    """Build ``variant``, on ``base`` if that is given.

    Raises:
        EngineError: there is no engine or no base, or a step failed.
    """
    began = time.monotonic()
    image = builds.build(settings, variant, base=base, no_cache=no_cache, report=report)
    seconds = round(time.monotonic() - began, 1)
    data = {"image": image, "variant": variant, "base": base, "seconds": seconds}
    return Result(data=data, lines=(f"built in {seconds} s: {image}",))
