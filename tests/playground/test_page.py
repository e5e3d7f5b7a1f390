"""The playground's page in a browser: that it opens, plays and does what it is told, before each change.

What each of its controls does: test_page_controls.py and test_page_tools.py.
"""

import pytest

from tests.playground.browser import PATIENCE

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)


@pytest.mark.slow
def test_the_page_opens_plays_and_hears_what_is_set(play):
    p = play("seed=0.1&learningRate=0.1")  # which sees to it that no error is logged
    expect(p.page.get_by_role("heading", level=1)).to_be_visible()
    assert (p.epoch, p.playing, p.link["networkShape"]) == (0, False, "4,2")
    first, chart, output = float(p.loss), p.pixels("#linechart"), p.pixels("#heatmap .map")
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 20 and float(p.loss) < 0.8 * first)
    p.click("#play-pause-button")
    p.rest()
    assert not p.playing and p.pixels("#linechart") != chart and p.pixels("#heatmap .map") != output
    epoch = p.epoch
    p.page.select_option("#learningRate", "0.3")
    p.page.check("#discretize")
    p.linked(learningRate="0.3", discretize="true")
    p.step()
    assert p.epoch == epoch + 1
    p.click("#add-layers", "#node-sinX", "[data-dataset=lecture-circle]")
    p.linked(networkShape="4,2,2", sinX="true", dataset="lecture-circle", seed="20240402")
    p.reached(0)
    expect(p.page.locator(".hit")).to_have_count(3 * 4 + 4 * 2 + 2 * 2 + 2)
    p.page.mouse.click(*p.line("0,3,1"))
    expect(p.page.locator("#chain table")).to_have_count(4)
    p.page.keyboard.press("Escape")
    p.page.select_option("#networks", "4")
    expect(p.page.locator("#networks-summary")).to_contain_text("The mean of 4 networks")
    p.step()
    p.page.fill("#table", "1,2\n")
    p.click("#use-table")
    expect(p.page.locator("#messages .bad")).to_contain_text("line 1: got 2 values")
    p.page.set_viewport_size({"width": 390, "height": 844})
    p.step()
    assert p.page.evaluate("document.documentElement.scrollWidth") <= 390
