"""The page as its reader meets it: a real browser opens the file from disk, with no network."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from envkit.commands import models_history
from envkit.errors import InputError
from tests.support import example_history
from tests.support.histories import versions
from tests.support.history_project import GitProject, entry, registry
from tests.support.model_project import Ran
from tests.support.project import REPOSITORY

CHROMIUM = shutil.which("chromium")  # None: the one that Playwright fetched (scripts/test-tools.sh)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SCREENSHOT = REPOSITORY / "docs" / "images" / "history.png"
DECLARED = {"latency_ms": {"higher_is_better": False}}
HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that asks for nothing but itself, and has nothing to complain of."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, locale="en-US", offline=True)
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert complaints == []
    assert len(asked) == 1
    assert asked[0].startswith("file:///")


@pytest.fixture
def grown(repo: GitProject) -> GitProject:
    """Two models over four commits, and a branch."""

    def save(det: tuple[str, float, float], rec: tuple[str, str], author: str) -> None:
        models = (
            entry("检测", det[0], metrics={"hmean": det[1], "latency_ms": det[2]}),
            entry("ocr_rec", rec[0], accuracy=rec[1]),
        )
        repo.commit(f"{det[0]} and {rec[0]}", author=author, registry=registry(*models, metrics=DECLARED))

    save(("2", 0.742, 9.8), ("1.9", "70.3%"), "张伟")
    save(("9", 0.75, 8.1), ("1.10", "71.6%"), "Li Lei")
    repo.git("tag", "v0.1")
    repo.branch("feature/try")
    save(("9-try", 0.8, 24.0), ("1.10", "71.6%"), "Sofía Núñez")
    repo.checkout("main")
    save(("10", 0.739, 7.5), ("1.10", "71.6%"), "Han Meimei")
    return repo


def written(repo: GitProject, name: str | None = None) -> Path:
    path = repo.root.parent / "history.html"
    models_history.history(repo.settings, name, html=path)
    return path


def opened(page: Page, repo: GitProject, name: str | None = None) -> Page:
    page.goto(written(repo, name).as_uri())
    return page


def column(page: Page, head: str) -> list[str]:
    """What the rows that are to be seen have below a head, from above to below."""
    position = page.locator("th").all_inner_texts().index(head)
    rows = page.locator("tbody tr:visible").all()
    return [row.locator("td").nth(position).inner_text().splitlines()[0] for row in rows]


def points(page: Page, model: str, metric: str) -> Locator:
    return page.locator(f'article[data-model="{model}"] svg[data-metric="{metric}"] .point')


# --- the table


def test_a_click_on_a_head_sorts_the_rows_and_another_turns_them_round(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    head = page.locator("th", has_text="version")
    assert column(page, "version") == ["10 now", "9-try", "9", "2", "1.10 now", "1.9"]
    expect(head).to_have_attribute("aria-sort", "none")
    head.get_by_role("button").click()
    assert column(page, "version") == ["1.9", "1.10 now", "2", "9", "9-try", "10 now"]
    expect(head).to_have_attribute("aria-sort", "ascending")
    head.get_by_role("button").press("Enter")
    assert column(page, "version") == ["10 now", "9-try", "9", "2", "1.10 now", "1.9"]
    expect(head).to_have_attribute("aria-sort", "descending")
    page.locator("th", has_text="by").first.get_by_role("button").click()
    assert column(page, "by")[:2] == ["Han Meimei", "Li Lei"]
    expect(head).to_have_attribute("aria-sort", "none")


def test_metrics_of_one_model_have_columns_that_sort_as_numbers(grown: GitProject, page: Page) -> None:
    opened(page, grown, "检测")
    page.locator("th", has_text="latency_ms").get_by_role("button").click()
    assert column(page, "latency_ms") == ["7.5", "8.1", "9.8", "24.0"]
    page.locator("th", has_text="hmean").get_by_role("button").click()
    assert column(page, "hmean") == ["0.739", "0.742", "0.75", "0.8"]


def test_metrics_of_several_models_sort_by_what_became_worse(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    page.locator("th", has_text="metrics").get_by_role("button").click()
    assert column(page, "version")[:2] == ["9-try", "10 now"]
    assert page.locator("tbody tr").first.locator(".change.worse").inner_text() == "+15.9 ↑ worse"


def test_dates_sort_by_the_moment_whatever_the_clocks_say(repo: GitProject, page: Page) -> None:
    for version, when in (("1", "2026-05-01T23:00:00-08:00"), ("2", "2026-05-02T08:00:00+08:00")):
        repo.environ = {"GIT_AUTHOR_DATE": when}
        repo.commit(registry=registry(entry("ocr", version)))
    opened(page, repo)
    page.locator("th", has_text="since").get_by_role("button").click()
    assert column(page, "version") == ["2 now", "1"]


def test_the_filter_keeps_rows_with_all_its_words_and_their_plots(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    field = page.get_by_role("searchbox", name="filter")
    expect(page.locator("#count")).to_have_text("6 of 6 versions")
    field.fill("检测 li lei")
    assert column(page, "version") == ["9"]
    expect(page.locator("#count")).to_have_text("1 of 6 versions")
    assert [card.get_attribute("data-model") for card in page.locator("article:visible").all()] == ["检测"]
    field.fill("v0.1")
    assert column(page, "model") == ["检测", "ocr_rec"]
    field.fill("")
    assert len(column(page, "model")) == 6


def test_what_a_commit_changed_is_a_click_away(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    details = page.locator("tbody tr").first.locator("details")
    expect(details.get_by_text("0.75 → 0.739")).to_be_hidden()
    details.locator("summary").click()
    expect(details.get_by_text("metrics.hmean 0.75 → 0.739")).to_be_visible()


# --- the plots


def test_a_plot_has_a_point_for_each_value_and_says_it(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    ran = Ran.of(models_history.history(grown.settings, None))
    for model in ("检测", "ocr_rec"):
        told = versions(ran, model)
        for metric in {name for version in told for name in version["metrics"]}:
            values = [version["metrics"][metric]["text"] for version in told]
            found = points(page, model, metric)
            assert [point.get_attribute("data-value") for point in found.all()] == values
    assert page.locator(".point").count() == 10


def test_a_better_value_is_higher_up_and_a_later_one_further_to_the_right(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    boxes = [point.locator(".dot").bounding_box() for point in points(page, "检测", "hmean").all()]
    places = [(box["x"], box["y"]) for box in boxes if box]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    by_height = sorted(range(4), key=lambda number: -places[number][1])
    assert by_height == sorted(range(4), key=[0.742, 0.75, 0.8, 0.739].__getitem__)


def test_the_axis_is_written_as_the_metric_is(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    labels = page.locator('svg[data-metric="accuracy"] .tick').all_text_contents()
    assert [label for label in labels if label.endswith("%")] == ["70.0%", "70.5%", "71.0%", "71.5%", "72.0%"]
    assert {"1.9", "1.10"} <= set(labels)


def test_pointing_at_a_plot_says_what_is_nearest(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    tip = page.locator("#tip")
    expect(tip).to_be_hidden()
    points(page, "检测", "hmean").nth(3).locator(".dot").hover()
    expect(tip).to_be_visible()
    lines = tip.inner_text().splitlines()
    assert lines[:2] == ["检测 10", "hmean 0.739 (-0.011 ↓ worse)"]
    assert "Han Meimei" in lines[2]
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()


def test_a_point_is_reached_by_the_keyboard_and_leads_to_its_row(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    point = points(page, "检测", "hmean").nth(2)
    point.focus()
    expect(page.locator("#tip")).to_contain_text("9-try")
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("tr:target")).to_contain_text("9-try")


def test_a_side_branch_hangs_beside_the_line(grown: GitProject, page: Page) -> None:
    opened(page, grown)
    plot = page.locator('svg[data-metric="hmean"]')
    expect(plot.locator(".point.aside")).to_have_count(1)
    # 2 to 9, 9 to 10, and the broken one from 9 to 9-try.
    lines = plot.locator("line:not(.grid)").all()
    ends = [(line.get_attribute("class"), line.get_attribute("x1"), line.get_attribute("x2")) for line in lines]
    assert [kind for kind, _, _ in ends] == [None, "aside", None]
    assert ends[1][1] == ends[2][1] == ends[0][2]
    expect(page.locator(".legend")).to_contain_text("on another branch only")


def test_other_bytes_under_one_version_are_loud(repo: GitProject, page: Page) -> None:
    repo.commit(registry=registry(entry("ocr", "1", md5="a" * 32, accuracy=0.5)))
    repo.commit(registry=registry(entry("ocr", "1", md5="b" * 32, accuracy=0.6)))
    opened(page, repo)
    loud = page.locator("tr.loud")
    expect(loud).to_have_count(1)
    expect(loud).to_contain_text("changed under the same version")
    expect(page.locator(".point path")).to_have_count(1)
    expect(page.locator(".legend")).to_contain_text("changed under the same version")


def test_models_without_metrics_have_a_table_and_no_plot(repo: GitProject, page: Page) -> None:
    repo.commit(registry=registry(entry("ocr", "1"), entry("det", "1")))
    opened(page, repo)
    assert column(page, "model") == ["ocr", "det"]
    assert page.locator("article").count() == 0


def test_a_hundred_versions_are_readable(repo: GitProject, page: Page) -> None:
    for number in range(100):
        repo.commit(registry=registry(entry("ocr", f"1.{number}", accuracy=f"{70 + number % 7}.{number % 10}%")))
    opened(page, repo)
    assert points(page, "ocr", "accuracy").count() == 100
    labels = [label for label in page.locator("svg .tick").all() if re.fullmatch(r"1\.\d+", label.inner_html())]
    boxes = sorted((box["x"], box["x"] + box["width"]) for label in labels if (box := label.bounding_box()))
    assert len(boxes) > 5
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(boxes))


# --- what others wrote


def test_what_looks_like_markup_is_text(repo: GitProject, page: Page) -> None:
    more = {"accuracy": 0.5, "metrics": {HOSTILE: 1}, "description": "<b>bold</b>", HOSTILE: HOSTILE}
    repo.commit(
        HOSTILE, author=HOSTILE.replace("<", "(").replace(">", ")"), registry=registry(entry("ocr", "1", **more))
    )
    repo.commit(HOSTILE, registry=registry(entry("ocr", "2", **{**more, "description": "x", "metrics": {HOSTILE: 2}})))
    repo.git("branch", "a<b>&c'")
    opened(page, repo)
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert HOSTILE in column(page, "commit")[0]
    assert page.locator("svg").nth(1).get_attribute("data-metric") == HOSTILE
    page.locator("tbody summary").first.click()
    expect(page.get_by_text("description <b>bold</b> → x")).to_be_visible()
    expect(page.get_by_text("a<b>&c'").first).to_be_visible()


def test_it_looks_as_it_should_in_the_dark(grown: GitProject, browser: Browser) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
        page = context.new_page()
        page.goto(written(grown).as_uri())
        read = "selector => getComputedStyle(document.querySelector(selector))"
        shades[scheme] = [
            page.evaluate(f"({read})('body').backgroundColor"),
            page.evaluate(f"({read})('td').color"),
            page.evaluate(f"({read})('.tick').fill"),
        ]
        context.close()
    assert all(contrast(shades[scheme][0], shades[scheme][1]) > 7 for scheme in shades)
    assert all(contrast(shades[scheme][0], shades[scheme][2]) > 4.5 for scheme in shades)
    assert luminance(shades["light"][0]) > 0.8
    assert luminance(shades["dark"][0]) < 0.05


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# --- the file


def test_the_page_names_no_address_to_load_from(grown: GitProject) -> None:
    text = written(grown).read_text("utf-8")
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|url\(|@import', text) == []


def test_the_same_history_gives_the_same_page(grown: GitProject) -> None:
    assert written(grown).read_bytes() == written(grown).read_bytes()


def test_a_page_is_written_anew_and_nothing_else_is_overwritten(grown: GitProject, tmp_path: Path) -> None:
    path = written(grown)
    path.write_text("<!DOCTYPE html>older")
    assert len(written(grown).read_bytes()) > 10_000
    assert stat.S_IMODE(path.stat().st_mode) & 0o044
    registry_file = grown.path / "models.yaml"
    before = registry_file.read_bytes()
    with pytest.raises(InputError, match="there is something else than a page"):
        models_history.history(grown.settings, None, html=tmp_path)
    with pytest.raises(InputError, match="is a project's own file"):
        models_history.history(grown.settings, None, html=registry_file)
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        models_history.history(grown.settings, None, html=tmp_path / "none" / "x.html")
    assert registry_file.read_bytes() == before
    assert [file.name for file in path.parent.iterdir() if file.name.startswith(".")] == []


def test_a_symlink_to_a_page_stays_one(grown: GitProject, tmp_path: Path) -> None:
    path = written(grown)
    link = tmp_path / "link.html"
    link.symlink_to(path)
    path.write_text("")
    models_history.history(grown.settings, None, html=link)
    assert link.is_symlink()
    assert path.stat().st_size > 10_000


def test_the_command_says_what_it_wrote(grown: GitProject, tmp_path: Path) -> None:
    ran = Ran.of(models_history.history(grown.settings, "检测", html=tmp_path / "h.html"))
    assert ran.lines == (f"{tmp_path}/h.html: 4 versions of 1 model",)
    assert ran.data["html"] == f"{tmp_path}/h.html"


def test_the_picture_in_the_documents(browser: Browser, tmp_path: Path) -> None:
    """Not compared with the one that is there: fonts differ. ENVKIT_UPDATE_SCREENSHOTS=1 makes it anew."""
    repo = example_history.make(tmp_path / "ocr-service")
    context = browser.new_context(viewport={"width": 1360, "height": 960}, locale="en-US")
    page = opened(context.new_page(), repo)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    points(page, "ppocr_rec", "accuracy").last.locator(".dot").hover()
    expect(page.locator("#tip")).to_contain_text("! changed under the same version")
    picture = tmp_path / SCREENSHOT.name
    page.screenshot(path=picture)
    context.close()
    if os.environ.get("ENVKIT_UPDATE_SCREENSHOTS") == "1":
        shutil.copy(picture, SCREENSHOT)
