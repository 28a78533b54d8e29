"""The page in a browser: with a microphone, with files, by keyboard, on a small screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import soundfile

from tests.support.browser import Tab, chromium, open_tab
from tests.support.client_environments import node_with_clients
from tests.support.recordings import recordings
from tests.support.running_server import RunningServer, running_server

pytestmark = pytest.mark.slow

WIDE = {"width": 1200, "height": 800}
SMALL = {"width": 360, "height": 740}

SAMPLER = """
window.moved = [];
const places = new Map();
window.sampling = setInterval(() => {
  const walker = document.createTreeWalker(document.getElementById("log"), NodeFilter.SHOW_TEXT);
  let index = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode(), index += 1) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, top } = range.getClientRects()[0] ?? { left: 0, top: 0 };
    const place = [node.data, Math.round(left + scrollX), Math.round(top + scrollY)].join("|");
    if (!places.has(index)) places.set(index, place);
    else if (places.get(index) !== place) window.moved.push([places.get(index), place]);
  }
  window.samples = (window.samples ?? 0) + 1;
}, 50);
"""


def written(path: Path, language: str, count: int) -> Path:
    pause = np.zeros(12_000, np.float32)
    parts = [each for one in recordings(language, count) for each in (one, pause)]
    soundfile.write(path, np.concatenate([pause, *parts, pause]), 16_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three English sentences."""
    return written(tmp_path_factory.mktemp("speech") / "speech.wav", "en", 3)


@pytest.fixture(scope="module")
def browser(speech: Path) -> Iterator[Any]:
    with chromium(speech) as opened:
        yield opened


@contextmanager
def ready(browser: Any, server: RunningServer, script: str = "", **context: Any) -> Iterator[Tab]:
    context = {"viewport": WIDE, "locale": "en-US", **context}
    with open_tab(browser, server.url, script, **context) as tab:
        until(tab.page, "document.querySelector('#model').options.length > 0")
        yield tab


def until(page: Any, condition: str) -> None:
    """Playwright's own waiting evaluates text in the page, which the page's policy forbids."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never: {condition}")


def spoken(tab: Tab, least: int) -> str:
    """Speak until there are so many words, stop, and give the text."""
    page = tab.page
    page.click("#speak")
    count = "document.getElementById('log').innerText.split(/\\s+/).length"
    until(page, f"{count} > {least}")
    page.click("#stop")
    page.wait_for_selector("#player:not([hidden])")
    return str(page.inner_text("#log"))


def opened_file(tab: Tab, path: Path) -> str:
    tab.page.set_input_files("#file", str(path))
    return transcribed(tab)


def transcribed(tab: Tab) -> str:
    tab.page.wait_for_selector("#log p")
    tab.page.wait_for_selector("#progress", state="hidden")
    return str(tab.page.inner_text("#log"))


@pytest.mark.parametrize("connection", ["websocket", "webrtc"])
def test_speech_is_written_and_nothing_written_moves(
    browser: Any, server: RunningServer, speech: Path, connection: str
) -> None:
    warm = {"file": speech.read_bytes()}  # a call hears nothing while the model is loaded
    httpx2.post(f"{server.url}/v1/audio/transcriptions", files=warm, timeout=300)
    with ready(browser, server) as tab:
        tab.page.evaluate(SAMPLER)
        tab.page.select_option("#connection", connection)
        text = spoken(tab, 12)
        assert "laboratory" in text
        assert tab.page.evaluate("window.samples") > 20
        assert tab.page.evaluate("window.moved") == []
        assert tab.page.inner_text("#interim") == ""
        assert tab.page.evaluate("document.getElementById('sound').duration") > 2
        assert tab.complaints == []


def test_a_lost_connection_loses_nothing(browser: Any, server: RunningServer) -> None:
    with ready(browser, server) as tab:
        losses = []

        def relay(socket: Any) -> None:
            upstream = socket.connect_to_server()

            def down(message: str) -> None:
                socket.send(message)
                if '"committed"' in message and not losses:
                    losses.append(message)
                    socket.close(code=1011)
                    upstream.close()

            upstream.on_message(down)

        tab.page.route_web_socket(re.compile("/live"), relay)
        tab.page.reload()
        until(tab.page, "document.querySelector('#model').options.length > 0")
        text = spoken(tab, 12)
        assert losses
        assert "fifteenth floor" in text
        assert text.lower().count("laboratory") == 1
        assert tab.page.is_hidden("#notice")


def test_a_dropped_file_is_searched_played_and_saved(
    browser: Any, server: RunningServer, speech: Path
) -> None:
    with ready(browser, server) as tab:
        page = tab.page
        data = page.evaluate_handle(
            """async (bytes) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([new Uint8Array(bytes)], "a talk.wav"));
                return transfer;
            }""",
            list(speech.read_bytes()),
        )
        for event in ("dragenter", "dragover", "drop"):
            page.dispatch_event("body", event, {"dataTransfer": data})
        text = transcribed(tab)
        assert "laboratory" in text
        page.wait_for_selector(".has-waveform")

        page.fill("#search-text", "NUMBER")
        until(page, "document.getElementById('search-count').textContent !== ''")
        assert page.inner_text("#search-count") == "1 of 1"
        assert page.evaluate("[...CSS.highlights.get('found-now')][0].toString()") == "number"

        saved = {name: downloaded(page, name) for name in ("txt", "srt", "vtt", "json")}
        assert "laboratory" in saved["txt"]
        assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n", saved["srt"])
        assert saved["vtt"].startswith("WEBVTT\n\n00:00:0")
        words = [word for each in json.loads(saved["json"])["segments"] for word in each["words"]]
        chosen = next(each for each in words if each["word"].startswith("room"))

        click_word(page, "room")
        assert place(page) == pytest.approx(chosen["start"], abs=0.05)
        until(page, "CSS.highlights.has('now')")
        assert page.evaluate("[...CSS.highlights.get('now')][0].toString()") == "room"
        box = page.locator("#wave").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        duration = page.evaluate("document.getElementById('sound').duration")
        assert place(page) == pytest.approx(duration / 2, rel=0.05)
        assert tab.complaints == []


def downloaded(page: Any, name: str) -> str:
    with page.expect_download() as waiting:
        page.click(f"[data-format={name}]")
    assert waiting.value.suggested_filename == f"a talk.{name}"
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def click_word(page: Any, word: str) -> None:
    x, y = page.evaluate(
        """(word) => {
            const log = document.getElementById("log");
            const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                const at = node.data.indexOf(word);
                if (at < 0) continue;
                const range = document.createRange();
                range.setStart(node, at);
                range.setEnd(node, at + word.length);
                const { left, top, width, height } = range.getBoundingClientRect();
                return [left + width / 2, top + height / 2];
            }
        }""",
        word,
    )
    page.mouse.click(x, y)


def place(page: Any) -> float:
    return float(page.evaluate("document.getElementById('sound').currentTime"))


ASKED = """
document.getElementById("file").addEventListener("click", (event) => {
  event.preventDefault();
  window.asked = navigator.userActivation.isActive;
});
"""
"""Notes that a file would be asked for; a headless browser has nobody to choose one."""


def test_all_is_done_with_the_keyboard_alone(
    browser: Any, server: RunningServer, speech: Path
) -> None:
    with ready(browser, server) as tab:
        page = tab.page
        tab_to(page, "choose")
        page.evaluate(ASKED)
        page.keyboard.press("Enter")
        until(page, "window.asked")
        page.set_input_files("#file", str(speech))
        transcribed(tab)
        page.keyboard.press("/")
        page.keyboard.type("floor")
        page.keyboard.press("Enter")
        until(page, "document.getElementById('search-count').textContent === '1 of 1'")
        tab_to(page, "transcript")
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert page.inner_text("#status") == "is"
        page.keyboard.press("Enter")
        assert place(page) > 0
        page.keyboard.press(" ")
        until(page, "!document.getElementById('sound').paused")
        page.keyboard.press(" ")
        tab_to(page, "wave")
        page.keyboard.press("Home")
        assert place(page) == 0
        page.keyboard.press("ArrowRight")
        assert place(page) == pytest.approx(5, abs=0.1)


def tab_to(page: Any, name: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            return
    raise AssertionError(f"the Tab key never comes to {name}")


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_nothing_is_wider_than_a_small_screen(
    browser: Any, server: RunningServer, speech: Path, locale: str
) -> None:
    with ready(browser, server, viewport=SMALL, locale=locale) as tab:
        width = "document.documentElement.scrollWidth"
        assert tab.page.evaluate(width) == SMALL["width"]
        tab.page.click("#speak")
        tab.page.wait_for_selector("#recorder:not([hidden])")
        assert tab.page.evaluate(width) == SMALL["width"]
        tab.page.click("#stop")
        tab.page.wait_for_selector("#player:not([hidden])")
        opened_file(tab, speech)
        assert tab.page.evaluate(width) == SMALL["width"]
        assert tab.page.get_attribute("html", "lang") == locale[:2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_anybody_can_use_it(browser: Any, server: RunningServer, speech: Path, scheme: str) -> None:
    _, folder = node_with_clients()
    source = (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    with ready(browser, server, color_scheme=scheme) as tab:
        tab.page.evaluate(source)
        assert violations(tab) == []
        tab.page.click("#speak")
        until(tab.page, "document.getElementById('interim').textContent !== ''")
        assert violations(tab) == []
        tab.page.click("#stop")
        tab.page.wait_for_selector("#player:not([hidden])")
        opened_file(tab, speech)
        assert violations(tab) == []


def violations(tab: Tab) -> list[str]:
    found = tab.page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


DENIED = """
navigator.mediaDevices.getUserMedia = () => {
  throw new DOMException("no", "NotAllowedError");
};
"""


def test_a_microphone_that_is_denied_is_told_in_one_line(
    browser: Any, server: RunningServer
) -> None:
    with ready(browser, server, DENIED) as tab:
        tab.page.click("#speak")
        tab.page.wait_for_selector("#notice:not([hidden])")
        assert "Microphone access was denied" in tab.page.inner_text("#notice-text")
        assert tab.page.is_enabled("#speak")


def test_a_full_server_is_told_and_asked_again(browser: Any) -> None:
    with running_server(max_live=1) as server, ready(browser, server) as other:
        other.page.click("#speak")
        until(other.page, "document.getElementById('link').dataset.state === 'open'")
        with ready(browser, server) as tab:
            tab.page.click("#speak")
            tab.page.wait_for_selector("#notice:not([hidden])")
            assert "busy" in tab.page.inner_text("#notice-text")
            other.page.click("#stop")
            until(tab.page, "document.getElementById('link').dataset.state === 'open'")
            assert tab.page.is_hidden("#notice")


def test_what_is_no_sound_is_told(browser: Any, server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "letter.mp3"
    path.write_bytes(b"Dear Sir or Madam, " * 1000)
    with ready(browser, server) as tab:
        tab.page.set_input_files("#file", str(path))
        tab.page.wait_for_selector("#notice:not([hidden])")
        assert len(tab.page.inner_text("#notice-text")) > 20
