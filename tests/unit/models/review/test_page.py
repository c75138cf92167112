"""The page of a review in a real browser, from disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.reviewed import MD5_B, Repository, entry

CHROMIUM = shutil.which("chromium")  # None: the one that Playwright fetched (scripts/test-tools.sh)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A page of a change that has something of everything, and a text that would rather be markup."""
    repository = Repository.make(tmp_path / "repository")
    repository.write("code/train.py", "load('checkpoints/resnet_v1')\n")
    repository.change(entry(accuracy="76.8%"), entry("yolo", md5="0c" * 16))
    nasty = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    worse = entry(
        accuracy="70%", version="v2", md5="0d" * 16, description=nasty, benchmark="https://bench.example/2?a=1"
    )
    repository.change(
        worse, entry("yolo", md5=MD5_B), entry("added", md5="0e" * 16, mirrors="https://m.example/" + "x" * 300)
    )
    page = tmp_path / "review.html"
    repository.diff("HEAD~1..HEAD", form="html", output=str(page))
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_in_light_and_dark_and_asks_nobody_for_anything(
    browser: Browser, rendered: Path, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(color_scheme=scheme)
    said, asked = listened(page)
    page.goto(rendered.as_uri())
    assert said == []
    assert asked == [rendered.as_uri()]
    expect(page).to_have_title("Do not merge: 2 of 8 gates fail: digest, regression")
    expect(page.get_by_role("alert")).to_contain_text("yolo v1 has OTHER BYTES under the same version")
    expect(page.get_by_role("heading", level=2)).to_have_text(
        ["changed resnet v1 → v2fail", "changed yolo v1fail", "added added v1"]
    )
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (red + green + blue > 600) is (scheme == "light")
    page.close()


def test_what_would_be_markup_is_text(browser: Browser, rendered: Path) -> None:
    page = browser.new_page()
    page.goto(rendered.as_uri())
    expect(page.get_by_text("<img src=x onerror=")).to_be_visible()
    assert page.locator("img, script").count() == 0
    assert "taken" not in page.title()
    links = page.get_by_role("link").all_inner_texts()
    assert links == ["https://bench.example/2?a=1", "https://bench.example/1", "https://bench.example/1"]
    page.close()


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_it_fits_its_window(browser: Browser, rendered: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(rendered.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_fields_fold(browser: Browser, rendered: Path) -> None:
    page = browser.new_page()
    page.goto(rendered.as_uri())
    first = page.locator("article").first
    cell = first.get_by_role("cell", name="md5", exact=True)
    expect(cell).to_be_visible()
    first.locator("summary").click()
    expect(cell).to_be_hidden()
    page.close()


def listened(page: Page) -> tuple[list[str], list[str]]:
    """What a page says on its console, and what it asks for."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return said, asked
