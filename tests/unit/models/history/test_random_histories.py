"""Histories that nobody would make by hand, compared with what each of their commits says by itself."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from envkit import git
from envkit.models.history.carriers import settled
from envkit.models.history.gather import gather
from envkit.models.history.states import states
from envkit.models.history.timeline import Step, timeline
from envkit.models.history.walk import walk
from tests.support.history_project import GitProject, entry, registry

Content = Mapping[tuple[str, str], str]
"""The MD5 of each model, by its name and version."""


@dataclass
class Graph:
    """What was committed, by the name of each commit."""

    contents: dict[str, Content] = field(default_factory=dict)
    parents: dict[str, Sequence[str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def grown(repo: GitProject, seed: int) -> Graph:
    """Forty commits: some leave the registry alone, some change it, some merge one to three others in any way."""
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed
    graph = Graph()
    repo.commit("root", registry=registry())
    graph.contents[repo.git("rev-parse", "HEAD")] = {}
    graph.parents[repo.git("rev-parse", "HEAD")] = ()
    for number in range(40):
        repo.days += 1
        known = list(graph.contents)
        parents = chance.sample(known[-6:], min(len(known), chance.choice((1, 1, 1, 1, 2, 2, 3))))
        content = dict(graph.contents[chance.choice(parents)])
        if chance.random() < 0.5:
            key = chance.choice("abc"), chance.choice("12")
            if content.pop(key, None) is None or chance.random() < 0.4:
                content[key] = chance.choice("ab") * 32
        commit = made(repo, number, content, parents)
        graph.contents[commit], graph.parents[commit] = content, parents
        if chance.random() < 0.3:
            graph.tags[f"t{number}"] = commit
            repo.git("tag", f"t{number}", commit)
    for number, commit in enumerate(graph.contents):
        repo.git("branch", f"b{number}", commit)  # nothing may be out of sight
    repo.git("reset", "--hard", "--quiet", commit)
    return graph


def made(repo: GitProject, number: int, content: Content, parents: Sequence[str]) -> str:
    entries = [entry(name, version, md5=digest) for (name, version), digest in sorted(content.items())]
    repo.write(registry=registry(*entries))
    (repo.path / "other").write_text(str(number))
    repo.git("add", "--all")
    ends = [word for parent in parents for word in ("-p", parent)]
    return repo.git("commit-tree", repo.git("write-tree"), *ends, "-m", str(number))


@pytest.mark.parametrize("seed", range(10))
def test_every_commit_and_tag_is_told_as_it_is(tmp_path: Path, seed: int) -> None:
    repo = GitProject.make(tmp_path / "project")
    graph = grown(repo, seed)
    repository = git.repository(repo.path)
    walked = walk(repository)
    read = states(repository, (touch.files for touch in walked.touches))
    near = settled(repository, walked, graph.contents)
    steps = [Step(touch.commit, touch.parents, read[touch.files]) for touch in walked.touches]
    line = timeline(steps, frozenset(near.values()))

    for commit, content in graph.contents.items():
        held = line.at[near[commit]] if commit in near else {}
        assert {key: one.facts.digests.md5 for key, one in held.items()} == content
        assert all(one.stay.facts.key == key for key, one in held.items())

    arrived = {(arrival.commit.id, stay.facts.key) for stay in line.stays for arrival in stay.arrivals}
    assert arrived == {
        (commit, key)
        for commit, content in graph.contents.items()
        for key, digest in content.items()
        if all(graph.contents[parent].get(key) != digest for parent in graph.parents[commit])
    }
    for stay in line.stays:
        assert len({arrival.facts.digests.md5 for arrival in stay.arrivals}) == 1

    # And so is every tag.
    carried: dict[str, dict[tuple[str, str], str | None]] = {tag: {} for tag in graph.tags}
    for version in gather(repository).versions:
        for tag in version.tags:
            assert version.facts.key not in carried[tag]
            carried[tag][version.facts.key] = version.facts.digests.md5
    assert carried == {tag: dict(graph.contents[commit]) for tag, commit in graph.tags.items()}
