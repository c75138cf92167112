"""``envkit models history``."""

from __future__ import annotations

from pathlib import Path

from envkit import git
from envkit.models import units
from envkit.models.history import gather, plain, table
from envkit.models.store.hand import acting_for
from envkit.result import Result
from envkit.settings import Settings, refuse_own


def history(settings: Settings, name: str | None, *, branch: str | None = None, html: Path | None = None) -> Result:
    """Every version that the models, or the one called ``name``, ever had, by what is committed.

    ``branch`` leaves away what that branch never had; without it all branches and tags count. ``html`` is the file to
    write a page to.

    Raises:
        InputError: there is no repository, no commit with a registry, no such model or branch, or no place for a page.
    """
    if html is not None:
        refuse_own("--html", html, settings.project)
    found = gather.gather(git.repository(settings.project), branch)
    names = [gather.known_name(found, name)] if name else list(found.models)
    data = plain.history(found, names)
    if html is None:
        return Result(data, table.lines(found, names))
    from envkit.models.history import page

    page.write(html, page.render(found, names, settings.project.resolve().name), acting_for(settings.owner))
    versions = sum(len(found.models[one]) for one in names)
    said = f"{html}: {units.counted(versions, 'version')} of {units.counted(len(names), 'model')}"
    return Result({**data, "html": str(html)}, (said, *table.notes(found)))
