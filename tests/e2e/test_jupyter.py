"""JupyterLab as its user meets it: a real browser opens the link, runs the example, and reads what it found."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.project import REPOSITORY, USER, Project
from tests.support.wait import until

CHROMIUM = shutil.which("chromium")  # None: the one that Playwright fetched (scripts/test-tools.sh)
TIMEOUT = 60_000  # milliseconds
expect.set_options(timeout=TIMEOUT)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'
SCREENSHOT = REPOSITORY / "docs" / "images" / "jupyterlab-ocr.png"
ON_THE_POSTER = [
    "PaddlePaddle 3.3",
    "飞桨开发环境",
    "pip, git, ssh",
    "envkit 2026",
    "one command to a notebook",
    "models: the right bytes, or no start",
    "this line stands on its head",
]


@pytest.fixture(scope="module")
def running(make_project: Callable[..., Project]) -> tuple[Project, dict[str, Any]]:
    project = make_project(USER, (REPOSITORY / "models.yaml").read_text("utf-8"))
    project.add("examples", "envkit.yaml")
    return project, project.json("up", "jupyter")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1360, "height": 970}, locale="en-US")
    context.set_default_timeout(TIMEOUT)
    yield context.new_page()
    context.close()


def test_the_example_reads_its_picture(running: tuple[Project, dict[str, Any]], page: Page, tmp_path: Path) -> None:
    page.goto(running[1]["notebook_url"])
    run_all(page)
    found = read_output(page)
    assert [re.sub(r"^\d+\. (.*)  \(\d\.\d\d\)$", r"\1", line) for line in found] == ON_THE_POSTER
    assert page.locator(STDERR).count() == 0
    picture = tmp_path / SCREENSHOT.name
    take_screenshot(page, picture)
    if os.environ.get("ENVKIT_UPDATE_SCREENSHOTS") == "1":
        SCREENSHOT.parent.mkdir(exist_ok=True)
        shutil.copy(picture, SCREENSHOT)


def test_the_link_that_up_gives_ends_in_the_lab(running: tuple[Project, dict[str, Any]], page: Page) -> None:
    page.goto(running[1]["url"])
    expect(page.get_by_role("menuitem", name="Kernel", exact=True)).to_be_visible()


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
def test_nobody_comes_in_without_the_token(running: tuple[Project, dict[str, Any]], page: Page, query: str) -> None:
    base, _ = running[1]["url"].split("?")
    page.goto(base + query)
    expect(page).to_have_url(re.compile("/login"))
    expect(page.get_by_label("Password or token")).to_be_visible()
    refused = page.request.get(base.replace("/lab", "/api/contents") + query)
    assert refused.status == 403


def run_all(page: Page) -> None:
    # A command that is given before the kernel is there is lost.
    wait_for_idle(page)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def read_output(page: Page) -> list[str]:
    """The lines that the last cell of code printed."""
    output = page.locator(".jp-OutputArea-output", has_text="1. ")

    def lines() -> list[str]:
        # Cells out of sight are not part of the page: follow the notebook down as it grows.
        page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, panel.scrollHeight)")
        return [line for text in output.all_inner_texts() for line in text.strip().splitlines()]

    until(lines, "the first recognised line", 120)
    wait_for_idle(page)
    return until(lines, "the recognised lines")


def wait_for_idle(page: Page) -> None:
    expect(page.get_by_text(re.compile(r"\| Idle$"))).to_be_visible()


def take_screenshot(page: Page, path: Path) -> None:
    """The window with the last step in it, from its heading to the lines that were read."""
    page.get_by_role("heading", name="5. Read them").evaluate("heading => heading.scrollIntoView()")
    page.mouse.move(0, 0)
    page.screenshot(path=path)
