"""Pages by keyboard: what has the focus can be seen, and headings, fields and buttons say what they are."""

from __future__ import annotations

import pytest

from web.conftest import SignedIn

PAGES = ("/", "/studies", "/runs", "/configure", "/profile", "/compare")
_STEPS = 40
#: Whether what has the focus looks different from the rest; true where nothing has it any more.
_SEEN = """() => {
  const found = document.activeElement, style = getComputedStyle(found);
  const ring = style.boxShadow !== "none" || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
  return ring || found === document.body || !!found.closest(".q-field--focused") || found.outerHTML.slice(0, 120);
}"""
#: Fields and buttons without a name, and headings that leave out a level.
_UNTOLD = """() => {
  const named = (e) => (e.getAttribute("aria-label") || e.textContent || e.labels?.[0]?.textContent || "").trim();
  const found = [...document.querySelectorAll("input:not([type=hidden]), select, button, a[href], summary, [role=tab]")]
    .filter((e) => e.checkVisibility() && !named(e))
    .map((e) => e.outerHTML.slice(0, 120));
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) found.push(heading.outerHTML);
    level = own;
  }
  return found;
}"""


@pytest.mark.parametrize("address", PAGES)
def test_the_focus_is_seen_and_all_has_a_name(signed_in: SignedIn, address: str) -> None:
    """Quasar takes the outline of its buttons away, so that each stop of the Tab key is looked at."""
    tab = signed_in()
    tab.goto(address)
    tab.wait_for_load_state("networkidle")
    assert tab.evaluate(_UNTOLD) == []
    for _ in range(_STEPS):
        tab.keyboard.press("Tab")
        assert tab.evaluate(_SEEN) is True
