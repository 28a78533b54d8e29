"""The page over HTTP: its files, how long they are kept, and what browsers may do with them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import httpx2
import pytest

from quest22.server.page.files import PageFiles
from quest22.server.page.site import POLICY
from quest22.settings.languages import LANGUAGES
from tests.support.running_server import RunningServer

STATIC = Path(str(resources.files("quest22.server.page"))) / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))


def get(server: RunningServer, path: str, **headers: str) -> httpx2.Response:
    return httpx2.get(f"{server.url}{path}", headers=headers)


def linked(html: str) -> set[str]:
    return set(re.findall(r'(?:href|src)="(page/[^"]+)"', html))


def test_all_that_the_page_names_is_served(server: RunningServer) -> None:
    names = linked(get(server, "/").text)
    assert len(names) >= 5
    for name in names:
        answer = get(server, f"/{name}")
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]


def test_all_that_modules_import_is_served(server: RunningServer) -> None:
    page = PageFiles.read()
    for name, file in page.files.items():
        for other in re.findall(rb'from "\./([^"]+)"', file.data):
            folder = name.rpartition("/")[0]
            path = f"{folder}/{other.decode()}".lstrip("/")
            assert path in page.files, f"{name} imports {path}"
            answer = get(server, f"/page/{page.version}/{path}")
            assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/", "/page/x/main.js", "/page/x/nothing.js"])
def test_every_answer_has_the_policy(server: RunningServer, path: str) -> None:
    headers = get(server, path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in headers["permissions-policy"]


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline() -> None:
    assert POLICY.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


@pytest.mark.parametrize("path", ["/", "/page/x/main.js"])
def test_what_a_browser_has_is_not_sent_again(server: RunningServer, path: str) -> None:
    first = get(server, path)
    assert first.headers["cache-control"] == "no-cache"
    again = get(server, path, **{"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""
    assert get(server, path, **{"if-none-match": '"other"'}).content == first.content


@pytest.mark.parametrize(
    "name", ["%2e%2e/site.py", "..%2fsite.py", "static/main.js", "words/", "main.js/"]
)
def test_only_files_of_the_page_are_served(server: RunningServer, name: str) -> None:
    assert get(server, f"/page/x/{name}").status_code == 404


def test_the_address_changes_with_the_files() -> None:
    page = PageFiles.read()
    assert f"page/{page.version}/main.js".encode() in page.index.data
    assert b"page/here/" not in page.index.data


def words(language: str) -> dict[str, str]:
    text = (STATIC / "words" / f"{language}.js").read_text(encoding="utf-8")
    return dict(re.findall(r'^  "([\w-]+)": "(.*)",$', text, re.MULTILINE))


def test_both_languages_say_the_same_things() -> None:
    english, russian = words("en"), words("ru")
    assert len(english) > 60
    assert set(english) == set(russian)
    for key, text in english.items():
        gaps = re.findall(r"\{\w+\}", text)
        assert sorted(gaps) == sorted(re.findall(r"\{\w+\}", russian[key])), key


def test_every_text_is_used_and_every_used_text_exists() -> None:
    pages = [STATIC / "index.html", *(each for each in SCRIPTS if each.parent == STATIC)]
    sources = "".join(each.read_text(encoding="utf-8") for each in pages)
    named = set(re.findall(r'data-word(?:-label|-placeholder)?="([\w-]+)"', sources))
    said = set(re.findall(r'say\("([\w-]+)"', sources))
    assert named | said <= set(words("en"))
    for key in words("en"):
        family = key.split("-")[0]
        assert re.search(rf'"{key}"|`{family}-\$', sources), f"nobody says {key}"


def test_the_page_knows_the_models_languages() -> None:
    text = (STATIC / "languages.js").read_text(encoding="utf-8")
    codes = re.findall(r'^  "([a-z ]+)"', text, re.MULTILINE)
    assert set(" ".join(codes).split()) == set(LANGUAGES)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_no_script_makes_elements_of_text(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function", "http:"):
        assert word not in source.replace('"http:"', ""), word


def test_the_page_stays_small() -> None:
    assert sum(each.stat().st_size for each in STATIC.rglob("*") if each.is_file()) < 150_000
