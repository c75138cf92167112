"""What is on this machine's loopback: there for the host, out of a container's reach."""

from __future__ import annotations

import re
from dataclasses import replace

from envkit.settings import Settings

_LOOPBACK = re.compile(r"(^|//|@)(localhost|127\.[\d.]+|\[::1\])(:|/|$)", re.MULTILINE)


def is_needed(settings: Settings, pip_config: str | None) -> bool:
    """Whether the way to models or packages leads over a proxy or an index on the loopback."""
    return bool(_LOOPBACK.search("\n".join([*_proxy_urls(settings), pip_config or ""])))


def without(settings: Settings, pip_config: str | None) -> tuple[Settings, str | None]:
    """The settings and pip's configuration as a container can use them: nothing in them that it cannot reach."""
    proxies = () if any(map(_LOOPBACK.search, _proxy_urls(settings))) else settings.proxies
    return replace(settings, proxies=proxies), None if _LOOPBACK.search(pip_config or "") else pip_config


def _proxy_urls(settings: Settings) -> list[str]:
    return [value for name, value in settings.proxies if name.lower() != "no_proxy"]
