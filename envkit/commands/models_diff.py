"""``envkit models diff``: what a change does to the registry, and whether it should go in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from envkit import git
from envkit.errors import InputError, PolicyError
from envkit.models.locking import committed
from envkit.models.review import data, levels, markdown, page, ranges, report, text
from envkit.models.review.report import Review
from envkit.models.store.hand import Hand, acting_for
from envkit.result import Result
from envkit.settings import CONFIG, Settings, refuse_own

Format = Literal["text", "markdown", "json", "html"]

_RENDERINGS: Mapping[Format, Callable[[Review], str]] = {
    "text": lambda review: "\n".join(text.render(review)),
    "markdown": lambda review: markdown.render(review).rstrip("\n"),
    "html": lambda review: "\n".join(page.render(review)),
    "json": lambda review: _result(review).as_json(),
}


def diff(settings: Settings, compared: str | None, *, form: Format = "text", output: str | None = None) -> Result:
    """Review what ``compared`` (see `ranges`) does to ``models.yaml`` and its lock. Exit code 5 if a gate fails.

    With ``output`` the rendering goes into that file, and the verdict alone is said.

    Raises:
        InputError: no such range, a wrong registry on its newer side, a wrong section ``review``, or no place to write.
    """
    if output is not None:
        refuse_own("--output", Path(output), settings.project)
    gates = levels.read(settings.review, str(settings.project / CONFIG))
    repository = git.repository(settings.project)
    found = ranges.resolve(repository, compared, settings.ci)
    review = report.review(repository, found, gates)
    rendered = _RENDERINGS[form](review)
    if output is None:
        return _result(review, rendered)
    _write(Path(output), rendered + "\n", acting_for(settings.owner))
    verdict = next(iter(text.render(review)))
    return _result(review, f"{verdict}\n{output}")


def _result(review: Review, lines: str = "") -> Result:
    code = PolicyError.exit_code if review.verdict == "fail" else 0
    return Result(data.render(review), lines.split("\n"), code, report.cases(review))


def _write(path: Path, content: str, hand: Hand) -> None:
    """Write a file whole: under its name is what was there before, or all of it."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(content, "utf-8")  # a pipe, a device: nothing to put another in place of
            return
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    committed.write(path, content.encode(), hand)
