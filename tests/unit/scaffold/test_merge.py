"""What becomes of a file that is there already: the rules, as tables."""

from __future__ import annotations

import pytest
import yaml

from envkit.scaffold import merge
from envkit.scaffold.files import template

IGNORE = merge.with_lines("# Why.\n/checkpoints/\n/.envkit/runs/\n")
OWNERS = merge.with_owners("# Why.\n/models.yaml @us\n/models.lock.yaml @us\n")
SCHEMA = merge.with_schema(".envkit/models.schema.json", "models: []\n")
HEAD = "# yaml-language-server: $schema=.envkit/models.schema.json\n"
HOOKS = merge.with_hooks(template("hooks.yaml"), "new\n", sign="envkit models check")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (None, "# Why.\n/checkpoints/\n/.envkit/runs/\n"),
        ("", "# Why.\n/checkpoints/\n/.envkit/runs/\n"),
        ("*.pyc", "*.pyc\n\n# Why.\n/checkpoints/\n/.envkit/runs/\n"),
        ("checkpoints/*\n*.pyc\n", "checkpoints/*\n*.pyc\n\n# Why.\n/.envkit/runs/\n"),
        ("/.envkit/runs\ncheckpoints\n", "/.envkit/runs\ncheckpoints\n"),
        ("# checkpoints/\n/.envkit/runs/\n", "# checkpoints/\n/.envkit/runs/\n\n# Why.\n/checkpoints/\n"),
    ],
)
def test_a_gitignore_gets_the_lines_that_it_lacks(there: str | None, wanted: str) -> None:
    assert IGNORE(there) == wanted


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (None, "# Why.\n/models.yaml @us\n/models.lock.yaml @us\n"),
        ("* @all\n", "* @all\n\n# Why.\n/models.yaml @us\n/models.lock.yaml @us\n"),
        ("models.yaml @others\n", "models.yaml @others\n\n# Why.\n/models.lock.yaml @us\n"),
        ("/models.yaml @a\n/models.lock.yaml @b\n", "/models.yaml @a\n/models.lock.yaml @b\n"),
        (
            "* @all\n\n^[Docs]\n/docs/ @writers\n",
            "* @all\n\n# Why.\n/models.yaml @us\n/models.lock.yaml @us\n\n^[Docs]\n/docs/ @writers\n",
        ),
    ],
)
def test_owners_are_named_where_nobody_owns_the_registry(there: str | None, wanted: str) -> None:
    assert OWNERS(there) == wanted


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (None, f"{HEAD}models: []\n"),
        (" \n", f"{HEAD}models: []\n"),
        ("# ours\nmodels: []\n", f"{HEAD}# ours\nmodels: []\n"),
        ("\ufeffmodels: []\n", f"\ufeff{HEAD}models: []\n"),
        ("# ours\n# yaml-language-server: $schema=elsewhere\n", "# ours\n# yaml-language-server: $schema=elsewhere\n"),
    ],
)
def test_a_registry_gets_a_first_line_and_keeps_the_rest(there: str | None, wanted: str) -> None:
    assert SCHEMA(there) == wanted


@pytest.mark.parametrize(
    "there",
    [
        "repos:\n- repo: https://example.com/x\n  rev: v1\n  hooks:\n  - id: x\n",
        "default_language_version:\n  python: python3\nrepos:\n  - repo: https://example.com/x\n    rev: v1\n"
        "    hooks: [{id: x}]\n\n  # the last",
        "repos: # ours\n    - repo: https://example.com/x\n      rev: v1\n      hooks:\n      - id: x\n",
    ],
    ids=["no indent", "two blanks", "four blanks"],
)
def test_hooks_end_the_list_that_is_there(there: str) -> None:
    wanted = HOOKS(there)
    assert wanted is not None
    assert wanted.startswith(there)
    repos = yaml.safe_load(wanted)["repos"]
    assert repos[0] == yaml.safe_load(there)["repos"][0]
    assert [hook["entry"] for hook in repos[1]["hooks"]] == ["envkit models check", "envkit models lock --check"]
    assert HOOKS(wanted) == wanted


@pytest.mark.parametrize(
    "there", ["repos: []\n", "", "repos:\n- repo: x\nexclude: y\n", "- repo: x\n"], ids=["flow", "empty", "more", "old"]
)
def test_hooks_are_not_put_where_it_is_not_clear(there: str) -> None:
    assert HOOKS(there) is None


def test_a_review_template_gets_a_part_of_its_own() -> None:
    rule = merge.with_part("all\n", "the part on models.yaml\n", sign="models.yaml")
    assert rule(None) == "all\n"
    assert rule("## Ours\n") == "## Ours\n\nthe part on models.yaml\n"
    assert rule("## Ours\n- is models.yaml right?\n") == "## Ours\n- is models.yaml right?\n"


@pytest.mark.parametrize("rule", [IGNORE, OWNERS, SCHEMA], ids=["ignore", "owners", "schema"])
@pytest.mark.parametrize("there", [None, "", "* @all\n", "[Docs]\n/docs @writers\n"])
def test_what_a_rule_gives_it_leaves_alone(rule: merge.Rule, there: str | None) -> None:
    once = rule(there)
    assert rule(once) == once
