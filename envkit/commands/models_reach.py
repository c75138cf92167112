"""What commands that fetch models have in common: the way out of this machine, and the store that it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envkit.errors import ModelError
from envkit.models.checkpoints import Checkpoints
from envkit.models.progress import Progress
from envkit.models.sources import Hub
from envkit.models.store.hand import acting_for
from envkit.models.store.store import Store, choose
from envkit.settings import Settings

if TYPE_CHECKING:
    from envkit.models.transfer.http import Http
    from envkit.models.transfer.line import Line


def http(settings: Settings) -> Http:
    """The way out."""
    from envkit.models.transfer.http import Http
    from envkit.models.transfer.rewrite import Rules

    return Http(settings.ca_bundle, Rules(settings.rewrite), dict(settings.tokens))


def hub(settings: Settings) -> Hub:
    """The hub of models that the settings name."""
    return Hub(settings.hub_endpoint, settings.hub_token)


def line(settings: Settings, store: Store, connections: int) -> Line:
    """What all downloads of one run share, into ``store``."""
    from envkit.models import room
    from envkit.models.crew import Crew
    from envkit.models.transfer.line import Line
    from envkit.models.transfer.rate import Limiter

    return Line(
        http(settings),
        Crew(),
        connections,
        Limiter(settings.limit_rate) if settings.limit_rate else None,
        reserve=lambda size: room.check_one(size, store.partials),
    )


@contextmanager
def store(settings: Settings, progress: Progress) -> Iterator[Store]:
    """The store that the project uses, which knows of the project from then on.

    Raises:
        ModelError: neither it nor ``checkpoints/`` can be written to.
    """
    from envkit.models import workspace
    from envkit.models.store import roots

    with workspace.opened(Checkpoints(settings.project), acting_for(settings.owner)) as opened:
        chosen = choose(settings, opened.folder, progress.say)
        try:
            yield chosen
        except OSError as error:
            # Of no one model: a full disk, a folder of another user's.
            raise ModelError(f"{error.filename or chosen.root}: {error.strerror or error}") from error
        finally:
            roots.register(chosen.root, chosen.hand, settings.project, roots.used_by(settings.project) or ())
