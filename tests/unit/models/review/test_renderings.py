"""A review in its four forms: complete, bounded, and nothing in it that ``models.yaml`` could have put there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from envkit.models.review import markdown, wording
from tests.support.reviewed import MD5_B, Repository, entry, said, text

MARKDOWN = MarkdownIt("commonmark").enable("table")
OURS = re.compile(r"<!-- envkit models diff -->|</?(?:details|summary|code|sub)>|<br>")
NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</code></summary></details><h1>gone</h1>",
    "--><script>",
    "@torvalds and @org/team",
    "#1 GH-1 octo/cat#1",
    "| a | b |\\|",
    "`a` ``b`` ```c",
    "`",
    "\\",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "https://evil.example www.evil.example me@evil.example",
    "**bold** _it_ ~~s~~ $x$ $`x`$ :smile:",
    "&lt;script&gt; &#64;torvalds",
    "a\nb\r\nc\u2028d\x1b[2J\u202ee\u200b",
    " ",
    "'\"><svg/onload=alert(1)>",
    "javascript:alert(1)",
]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repository")


def nasty_change(repository: Repository, value: str) -> None:
    """A change that brings a text to every place where texts of ``models.yaml`` are shown."""
    repository.change(entry(accuracy="76.8%", license="x", metrics={value: 1}), entry("gone", md5=MD5_B, note=value))
    new = {
        "license": value,
        "description": value,
        value: value,
        "nested": {value: [value]},
        "benchmark": value,
        "config_path": value,
        "accuracy": "75%",
        "metrics": {value: 2},
    }
    if "://" in value or "\\" in value:
        del new["benchmark"]  # as an address or a path it would be wrong
    repository.change(entry(version="v2", md5=MD5_B[::-1], **new), entry("added", md5="0c" * 16, **new))


def inlines(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from inlines(token.children or [])


def prose(tokens: list[Token]) -> Iterator[str]:
    """The text that a forge looks for mentions and links in: what is in no code."""
    in_code = False
    for token in tokens:
        if token.type == "html_inline" and token.content in ("<code>", "</code>"):
            in_code = token.content == "<code>"
        elif token.type in ("text", "text_special") and not in_code:
            yield token.content


@pytest.mark.parametrize("value", NASTY)
def test_markdown_has_nothing_of_others_but_in_code(repository: Repository, value: str) -> None:
    nasty_change(repository, value)
    rendered = text(repository.diff("HEAD~1..HEAD", form="markdown"))
    tokens = list(inlines(MARKDOWN.parse(rendered)))
    markup = "".join(token.content for token in tokens if token.type in ("html_block", "html_inline"))
    assert "<" not in re.sub(OURS, "", markup)
    assert not re.search(r"evil|torvalds|script|onerror|octo|bold|smile", "".join(prose(tokens)))
    links = {str(token.attrGet("href")) for token in tokens if token.type == "link_open"}
    assert links <= {"https://bench.example/1"}
    assert not [token for token in tokens if token.type == "image"]


@pytest.mark.parametrize("value", NASTY)
def test_every_row_of_a_table_has_its_cells(repository: Repository, value: str) -> None:
    nasty_change(repository, value)
    rendered = text(repository.diff("HEAD~1..HEAD", form="markdown"))
    width = 0
    for row in rendered.splitlines():
        cells = re.sub(r"\\\|", "", row).count("|")
        if re.fullmatch(r"\|(?:---\|)+", row):
            width = cells
        elif row.startswith("|") and width:
            assert cells == width, row
        elif not row.startswith("|"):
            width = 0


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_comes_out_of_a_cell_as_it_is_shown(value: str) -> None:
    shown = wording.shown(value)
    table = f"| a | b |\n|---|---|\n| {markdown.code(shown)} | x |\n"
    cells = [token for token in MARKDOWN.parse(table) if token.type == "inline"][2:]
    assert [cell.content for cell in cells][1:] == ["x"]
    parts = [token for token in cells[0].children or [] if token.type in ("text", "code_inline", "text_special")]
    literal = "".join(part.content for part in parts)
    assert literal == shown or (not shown.strip() and literal == "\xa0")


def test_our_own_words_are_no_markup_either() -> None:
    words = "2*3*4 <b> a_b_c _d_ | ~~e~~ [f](g) #1 @h"
    tokens = list(inlines(MARKDOWN.parse(markdown.message(words))))
    assert "".join(token.content for token in tokens if token.type in ("text", "text_special")) == words


def test_a_comment_is_cut_where_a_forge_would_refuse_it(repository: Repository) -> None:
    repository.change(*[entry(f"model_{n}", md5=f"{n:032x}") for n in range(1, 400)])
    repository.change(*[entry(f"model_{n}", md5=f"{n + 5000:032x}", note="飞桨" * 200) for n in range(1, 400)])
    rendered = text(repository.diff("HEAD~1..HEAD", form="markdown"))
    assert 50_000 < len(rendered) <= markdown.MOST
    assert "The details of" in rendered
    assert "`envkit models diff HEAD~1..HEAD --format html` *shows all.*" in rendered
    assert re.search(r"<br>and \d+ more \|", rendered)
    assert rendered.count("<details>") == rendered.count("</details>") > 10
    page = text(repository.diff("HEAD~1..HEAD", form="html"))
    assert page.count("<article") == 399


def test_a_comment_of_the_worst_texts_is_cut_as_well(repository: Repository) -> None:
    worst = "`|\\" * 2000
    old = {f"{n}{worst}": n for n in range(50)}
    new = {f"{n}{worst}": n + 1 for n in range(50)}
    names = [f"model_{n}" for n in range(30)]
    repository.change(*[entry(name, md5=f"{n:032x}", metrics=old, license="x") for n, name in enumerate(names)])
    changed = [entry(name, md5=f"{n + 99:032x}", metrics=new, license=worst) for n, name in enumerate(names)]
    repository.change(*changed)
    rendered = text(repository.diff("HEAD~1..HEAD", form="markdown"))
    assert len(rendered) <= markdown.MOST
    assert rendered.splitlines()[1].startswith("## ❌ Do not merge: ")
    assert "<summary>changed: " in rendered


def test_a_comment_begins_with_its_marker_and_the_verdict(repository: Repository) -> None:
    repository.change(entry())
    repository.change(entry(md5=MD5_B))
    lines = text(repository.diff("HEAD~1..HEAD", form="markdown")).splitlines()
    assert lines[0] == markdown.MARKER
    assert lines[1] == "## ❌ Do not merge: 1 of 8 gates fails: digest"


@pytest.mark.parametrize(
    ("place", "is_link"),
    [
        ("https://bench.example/run?id=1#top", True),
        ("https://user:secret@bench.example/run", False),
        ("https://bench.example/<b>", False),
        ("https://bench.example/|x", False),
        ("javascript:alert(1)", False),
    ],
)
def test_plain_addresses_of_reports_are_links(repository: Repository, place: str, is_link: bool) -> None:
    repository.change()
    repository.change(entry(benchmark=place))
    assert (f"- evidence: <{place}>" in text(repository.diff("HEAD~1..HEAD", form="markdown"))) is is_link
    page = text(repository.diff("HEAD~1..HEAD", form="html"))
    assert (f'href="{place}"' in page) is is_link
    assert "secret" not in page


ELEMENTS = {"html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "section", "article"}
ELEMENTS |= {"div", "h1", "h2", "p", "b", "span", "small", "code", "a", "ul", "li", "dl", "dt", "dd"}
ELEMENTS |= {"table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "rel", "href", "class", "role", "aria-label", "open"}


class Page(HTMLParser):
    """What a page is made of, and whether every element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.mark.parametrize("value", NASTY)
def test_html_has_our_elements_alone_and_shows_the_text(repository: Repository, value: str) -> None:
    nasty_change(repository, value)
    page = Page()
    page.feed(text(repository.diff("HEAD~1..HEAD", form="html")))
    assert page.tags <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert wording.shown(value) in page.said or not value.strip()


@pytest.mark.parametrize("value", NASTY)
def test_a_terminal_gets_nothing_that_moves_it(repository: Repository, value: str) -> None:
    nasty_change(repository, value)
    result = repository.diff("HEAD~1..HEAD")
    assert all(line.isprintable() or line == "" for line in result.lines)
    assert all(str(case.problem).replace("\n", "").isprintable() for case in result.cases if case.problem)


def test_text_shows_what_changed(repository: Repository) -> None:
    repository.write("code/train.py", "load('resnet')\n")
    repository.change(entry(accuracy="76.8%", size=1024), entry("gone", md5=MD5_B))
    new = entry(accuracy="77.4%", version="v2", md5="0d" * 16, size=2048, benchmark="https://bench.example/2")
    repository.change(new, entry("added", md5="0c" * 16, description="new"))
    lines = text(repository.diff("HEAD~1..HEAD")).splitlines()
    block = lines[lines.index("~ resnet v1 -> v2") :][:10]
    assert block == [
        "~ resnet v1 -> v2",
        "    from          http: https://models.example/resnet.pdparams",
        "    size          1.0 KiB -> 2.0 KiB (+100%)",
        "    bytes         changed: md5 0a0a0a0a0a0a… -> 0d0d0d0d0d0d…",
        "    evidence      https://bench.example/2",
        "    used in       code/train.py:1",
        "    accuracy      76.8% -> 77.4% (+0.6 points), better",
        "    version       v1 -> v2",
        "    md5           " + f"{'0a' * 16} -> {'0d' * 16}",
        "    size          1024 -> 2048",
    ]
    assert "+ added v1" in lines
    assert "- gone v1" in lines
    assert "a first sync fetches 2.0 KiB -> 3.0 KiB" in lines


def test_json_has_what_the_reference_promises(repository: Repository) -> None:
    repository.change(entry(accuracy="76.8%"))
    repository.change(entry(accuracy="75%", version="v2", md5=MD5_B))
    found = said(repository.diff("HEAD~1..HEAD"))
    (change,) = found["changes"]
    assert change["metrics"] == [
        {
            "name": "accuracy",
            "way": "worse",
            "old": 0.768,
            "new": 0.75,
            "old_text": "76.8%",
            "new_text": "75%",
            "delta": -0.018,
            "higher_is_better": True,
            "tolerance": 0.0,
        }
    ]
    assert (change["kind"], change["bytes"], change["same_version"], change["matters"]) == (
        "changed",
        "changed",
        False,
        True,
    )
    assert change["new"]["path"] == "checkpoints/resnet_v2.pdparams"
    assert change["evidence"] == {"state": "stale", "places": ["https://bench.example/1"]}
    (finding,) = next(gate for gate in found["gates"] if gate["gate"] == "regression")["findings"]
    assert (finding["file"], finding["line"], finding["outcome"]) == (
        "models.yaml",
        repository.line_of("accuracy"),
        "fail",
    )
