"""The files of a project: which there are to be, and by what rule each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from envkit.scaffold import merge
from envkit.scaffold.plan import File
from envkit.scaffold.remote import Host

# Where the hosts look for these, first the place that counts.
_OWNERS: Mapping[Host, tuple[str, ...]] = {
    "github": (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    "gitlab": ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
_REVIEW = tuple(
    f"{folder}{name}"
    for folder in (".github/", "", "docs/")
    for name in ("pull_request_template.md", "PULL_REQUEST_TEMPLATE.md")
)
_MERGE = ".gitlab/merge_request_templates/Default.md"

PLACES: tuple[str, ...] = (
    *dict.fromkeys(place for places in _OWNERS.values() for place in places),
    *_REVIEW,
    *(".github/workflows", ".gitlab-ci.yml", "models.yaml", "models.lock.yaml"),
)
"""What `files` and `hosts_in` want to know of: whether it is there already."""


@dataclass(frozen=True)
class Choices:
    """What goes into the files.

    ``name`` is the project's, ``hosts`` are whose pipelines and reviews it has, ``owner`` is who reviews the registry.
    ``package`` is what pip installs envkit by, ``image`` and ``image_gpu`` are what `envkit build` makes. ``schemas``
    has the JSON Schemas of ``models.yaml`` and ``envkit.yaml`` by file name; ``lock`` is the lock of no models.
    """

    name: str
    hosts: tuple[Host, ...]
    owner: str
    package: str
    image: str
    image_gpu: str
    schemas: Mapping[str, str]
    lock: str
    devcontainer: bool = True
    pre_commit: bool = True

    @property
    def words(self) -> dict[str, str]:
        """What stands for what in a template."""
        return {
            "NAME": self.name.replace("\\", "\\\\").replace('"', '\\"'),
            "OWNER": self.owner,
            "PACKAGE": self.package,
            "IMAGE": self.image,
            "IMAGE_GPU": self.image_gpu,
            "HOOKS": template("hooks.yaml").rstrip(),
            "MODELS": template("review_models.md").rstrip(),
        }


def hosts_in(there: Collection[str]) -> tuple[Host, ...]:
    """Whose pipelines a project has already; both if it has none."""
    found: list[Host] = []
    if ".github/workflows" in there:
        found.append("github")
    if ".gitlab-ci.yml" in there:
        found.append("gitlab")
    return tuple(found) or ("github", "gitlab")


def files(choices: Choices, there: Collection[str]) -> tuple[File, ...]:
    """Every file to have; ``there`` are those of `PLACES` that exist."""
    return (*_layout(choices, there), *_hosted(choices, there), *_tools(choices))


def _layout(choices: Choices, there: Collection[str]) -> Iterator[File]:
    yield File(".gitignore", merge.with_lines(template("gitignore")), adds=True)
    for schema, text in choices.schemas.items():
        name = schema.replace(".schema.json", ".yaml")
        yield File(f".envkit/{schema}", merge.whole(text))
        yield File(name, merge.with_schema(f".envkit/{schema}", template(name)))
    # A registry that is there already has models, which an empty lock would not fit.
    if "models.yaml" not in there or "models.lock.yaml" in there:
        yield File("models.lock.yaml", merge.once(choices.lock))
    yield File("code/README.md", merge.once(template("code_readme.md")))
    yield File("code/train.py", merge.once(template("train.py")))
    yield File("configs/train.json", merge.once(template("train.json")))
    yield File("sync_models.py", merge.whole(template("sync_models.py")))


def _hosted(choices: Choices, there: Collection[str]) -> Iterator[File]:
    words = choices.words
    review = merge.with_part(
        render(template("review_template.md"), words), template("review_models.md"), sign="models.yaml"
    )
    if "gitlab" in choices.hosts:
        yield File(".gitlab-ci.yml", merge.whole(render(template("gitlab-ci.yml"), words)))
        yield File(_MERGE, review)
    if "github" in choices.hosts:
        yield File(".github/workflows/models.yml", merge.whole(render(template("workflow.yml"), words)))
        yield File(_first(_REVIEW, there), review)
    owners = merge.with_owners(render(template("codeowners"), words))
    for path in dict.fromkeys(_first(_OWNERS[host], there, "CODEOWNERS") for host in choices.hosts):
        yield File(path, owners, adds=True)


def _tools(choices: Choices) -> Iterator[File]:
    words = choices.words
    if choices.pre_commit:
        text = render(template("pre-commit.yaml"), words)
        hooks = merge.with_hooks(template("hooks.yaml"), text, sign="envkit models check")
        yield File(".pre-commit-config.yaml", hooks)
    if choices.devcontainer:
        yield File(".devcontainer/Dockerfile", merge.whole(render(template("devcontainer.dockerfile"), words)))
        yield File(".devcontainer/devcontainer.json", merge.whole(render(template("devcontainer.json"), words)))


def _first(places: tuple[str, ...], there: Collection[str], default: str | None = None) -> str:
    return next((place for place in places if place in there), default or places[0])


def render(text: str, words: Mapping[str, str]) -> str:
    """A template with each ``@WORD@`` replaced; one that nobody knows is a `KeyError`."""
    return re.sub(r"@([A-Z_]+)@", lambda found: words[found[1]], text)


@cache
def template(name: str) -> str:
    """The text of a template."""
    return (resources.files("envkit.scaffold") / "templates" / name).read_text("utf-8")
