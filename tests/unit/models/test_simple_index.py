"""A package's page on an index, and which of its wheels pip would take; judged beside pip itself."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from envkit.errors import ModelError
from envkit.models.model import Digests
from envkit.models.sources import pip, simple_index
from envkit.models.sources.simple_index import Wheel
from tests.support.model_project import md5, sha256
from tests.support.model_server import Answer, ModelServer, wheel

PAGE = "http://index/simple/tiny-models/"
SHA256, MD5 = sha256(b"x"), md5(b"x")


def test_links_of_a_page_are_wheels_with_their_digests() -> None:
    text = f"""<!DOCTYPE html><body>
    <a href="../../files/tiny_models-1.0-py3-none-any.whl#sha256={SHA256}">one</a>
    <a href="http://far/tiny_models-1.1-py3-none-any.whl?sig=1#md5={MD5.upper()}" data-yanked="">two</a>
    <a href="tiny_models-1.2%2Bcpu-py3-none-any.whl">three</a>
    <a href="../../files/tiny_models-1.0.tar.gz#sha256={SHA256}">no wheel</a>
    <a name="nothing">nothing</a>"""
    assert simple_index.wheels(text, PAGE) == (
        Wheel("tiny_models-1.0-py3-none-any.whl", "http://index/files/tiny_models-1.0-py3-none-any.whl", only(SHA256)),
        Wheel("tiny_models-1.1-py3-none-any.whl", "http://far/tiny_models-1.1-py3-none-any.whl?sig=1", Digests(MD5)),
        Wheel("tiny_models-1.2+cpu-py3-none-any.whl", f"{PAGE}tiny_models-1.2%2Bcpu-py3-none-any.whl", Digests()),
    )


def only(digest: str) -> Digests:
    return Digests(sha256=digest)


def test_files_in_json_are_wheels_with_digests_and_sizes() -> None:
    files = [
        {"filename": "a-1-py3-none-any.whl", "url": "a.whl", "hashes": {"sha256": SHA256, "md5": MD5}, "size": 3},
        {"filename": "a-1.tar.gz", "url": "a.tar.gz", "hashes": {}},
        {"filename": "a-2-py3-none-any.whl", "url": "http://far/a.whl", "hashes": {"sha256": "no digest"}},
    ]
    assert simple_index.wheels(json.dumps({"files": files}), PAGE) == (
        Wheel("a-1-py3-none-any.whl", f"{PAGE}a.whl", Digests(MD5, SHA256, 3)),
        Wheel("a-2-py3-none-any.whl", "http://far/a.whl", Digests()),
    )


@pytest.mark.parametrize("text", ["{", "{}", '{"files": [1]}', '{"files": [{"filename": "a.whl"}]}', '{"files": 1}'])
def test_what_is_no_page_is_told(text: str) -> None:
    with pytest.raises(ModelError, match="no page of a package"):
        simple_index.wheels(text, PAGE)


@pytest.mark.parametrize("text", ["", "<", "<html>busy", "\0"])
def test_a_page_of_something_else_has_no_wheels(text: str) -> None:
    assert simple_index.wheels(text, PAGE) == ()


def test_a_package_has_one_page_however_it_is_spelled() -> None:
    for name in ("Tiny_Models", "tiny.models", "tiny-models"):
        assert simple_index.page_of("http://index/simple", name) == PAGE


@pytest.mark.parametrize("wanted", ["1.0", "1", "1.0.0", "1.1", "1.0+cpu", "1.2", "2.0", "3.0"])
def test_the_wheel_is_the_one_that_pip_takes(index: ModelServer, wanted: str) -> None:
    platform = pip.run("debug", "--verbose", tick=lambda: None).split("Compatible tags:")[1].split()[1]
    names = [
        "1.0-py3-none-any",
        "1.2-py3-none-any",
        f"1.2-{platform}",
        "1.0-cp27-cp27m-win32",
        "1.0+cpu-py3-none-any",
        "1.1-py3-none-any",
        "1.1-1-py3-none-any",
        "1.1-2-py3-none-any",
        "2.0-cp27-cp27m-win32",
        "no-wheel",
    ]
    files = {f"tiny_models-{name}.whl": wheel("tiny-models", name.partition("-")[0], {}) for name in names}
    links = [f'<a href="/files/{name}#sha256={sha256(body)}">{name}</a>' for name, body in files.items()]
    page = "\n".join(links)
    index.serve("/simple/tiny-models/", Answer(page.encode(), headers={"Content-Type": "text/html"}))
    for name, body in files.items():
        index.serve(f"/files/{name}", body)
    best = simple_index.best(simple_index.wheels(page, index.url("/simple/tiny-models/")), wanted)
    assert (unquote(best.url) if best else None) == taken_by_pip(f"tiny-models=={wanted}")


def taken_by_pip(requirement: str) -> str | None:
    asking = ("--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-", "--only-binary", ":all:")
    try:
        report = pip.run("install", *asking, requirement, tick=lambda: None)
    except ModelError:
        return None
    return unquote(json.loads(report)["install"][0]["download_info"]["url"])


def test_pip_says_itself_which_index_it_asks_where_none_is_configured() -> None:
    found = pip.default_index(pip.run("install", "--help", tick=lambda: None))
    assert found is not None
    assert found.startswith("https://")
    assert pip.default_index("--extra-index-url <url>  more\n --no-index  none") is None
