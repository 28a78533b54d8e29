"""Debian's Chromium, driven by Playwright, with a recording for its microphone.

``apt-get install chromium`` and ``pip install playwright`` (the test extra); tests skip without.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
)
WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass(slots=True, eq=False)
class Tab:
    """A page, and what its console said that it should not have."""

    page: Any
    complaints: list[str] = field(default_factory=list)


@contextmanager
def chromium(microphone: Path | None = None) -> Iterator[Any]:
    """A browser; the test that asks for one is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright: pip install playwright"
    )
    heard = (
        () if microphone is None else (f"--use-file-for-fake-audio-capture={microphone}%noloop",)
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *heard])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_tab(browser: Any, url: str, script: str = "", **context: Any) -> Iterator[Tab]:
    """A tab of its own context, such as ``locale``, ``viewport``, ``color_scheme``."""
    opened = browser.new_context(**context)
    opened.set_default_timeout(120_000)
    opened.add_init_script(WATCH + script)
    tab = Tab(opened.new_page())
    tab.page.on("console", lambda said: _note(tab, said))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.goto(url)
    try:
        yield tab
    finally:
        opened.close()


def _note(tab: Tab, said: Any) -> None:
    if said.type in ("error", "warning"):
        tab.complaints.append(said.text)
