"""Looking at a page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@dataclass
class Visit:
    """A page that is open.

    Attributes:
        page: what the browser shows.
        requests: addresses that it asked for, other than its own file and what is inside it.
        errors: what its console complained about.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def visit(browser: Browser, path: Path, *, width: int = 1280, **options: Any) -> Iterator[Visit]:
    """Open a file without a network; `options` are the browser's, such as ``color_scheme="dark"``."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
    try:
        seen = Visit(context.new_page())
        own = path.resolve().as_uri()
        seen.page.on("request", lambda r: None if r.url.startswith(("data:", own)) else seen.requests.append(r.url))
        seen.page.on("console", lambda said: seen.errors.append(said.text))
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.goto(own)
        yield seen
    finally:
        context.close()


# The contrast of every visible text with the background it stands on, by WCAG 2.1: [ratio, text] below the least.
POOR_CONTRAST = """least => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [.2126, .7152, .0722][k], 0);
  const ground = own => {
    for (; own; own = own.parentElement) {
      const colour = rgb(getComputedStyle(own).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const own of document.querySelectorAll("body *")) {
    const text = [...own.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join(" ").trim();
    if (!text || !own.checkVisibility({checkOpacity: true}) || own.tagName === "SCRIPT") continue;
    const [a, b] = [light(rgb(getComputedStyle(own).color)), light(ground(own))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < least) poor.push([(a + .05) / (b + .05), text]);
  }
  return poor;
}"""
