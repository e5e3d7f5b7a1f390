"""A playground that runs as a process of its own, and a browser's page of it as a hand and an eye have it."""

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
PATIENCE = 90  # seconds until a condition counts as never met
TABLE = "x1,x2,label\n1.5,-2,yes\n-3,0.5,no\n2,2,yes\n-1,-4,no\n"  # of a user's own, to be pasted
COUNTED = """
    globalThis.unanswered = 0;
    globalThis.WebSocket = class extends WebSocket {
        constructor(...address) {
            super(...address);
            this.addEventListener("message", () => unanswered--);
            this.addEventListener("close", () => unanswered = 0);
        }
        send(request) {
            super.send(request);
            unanswered++;
        }
    };
"""  # how many requests of the page have no answer yet


@contextlib.contextmanager
def serving(port=0):
    """Start a playground; it has `address`, which it prints, and `pid`. It must not have written a traceback."""
    command = [sys.executable, "-m", "jaxnn", "play", "--port", str(port), "--no-browser"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
            assert found, f"no address in {line!r}"
            yield SimpleNamespace(address=found[0], port=int(found[1]), pid=process.pid)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            log.seek(0)
            written = log.read()
    assert "Traceback" not in written, written


def until(condition, wait=time.sleep):
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never came true: {condition}"
        wait(0.02)


def violations(page):
    """Return what axe, an independent checker of accessibility, finds wrong with a page as it stands."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


class Play:
    """A page of the playground; the playwright page itself is `page`.

    What is read off it is read between an answer and the next request: never while a change is on its way.
    """

    def __init__(self, page, address):
        self.page, self.address, self.errors, self.asked = page, address, [], []
        page.add_init_script(COUNTED)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def open(self, link):
        self.page.goto(f"{self.address}#{link}")
        self.until(lambda: self.loss != "–")  # the first frame
        return self

    def until(self, condition):
        until(condition, lambda seconds: self.page.wait_for_timeout(1000 * seconds))

    def settle(self):
        """Wait until every request is answered and its answer shown."""
        self.until(lambda: self.page.evaluate("unanswered") == 0)

    def text(self, selector):
        self.settle()
        return self.page.text_content(selector)

    def click(self, *selectors):
        for selector in selectors:
            self.page.click(selector)

    @property
    def epoch(self):
        return int(self.text("#iter-number").replace(",", ""))

    @property
    def loss(self):
        return self.text("#loss-train")

    @property
    def losses(self):
        return self.loss, self.text("#loss-test")

    @property
    def playing(self):
        return self.page.get_attribute("#play-pause-button", "aria-pressed") == "true"

    @property
    def link(self):
        """The settings in the page's address."""
        self.settle()
        return dict(part.split("=", 1) for part in self.page.evaluate("location.hash.slice(1)").split("&"))

    def reached(self, epoch):
        """Wait until the page shows an epoch."""
        self.until(lambda: self.epoch == epoch)

    def linked(self, **settings):
        """Wait until the page's address has these settings."""
        self.until(lambda: settings.items() <= self.link.items())

    def step(self, times=1):
        """Train some epochs one by one; the losses after each."""
        seen = []
        for _ in range(times):
            after = self.epoch + 1
            self.click("#next-step-button")
            self.reached(after)
            seen.append(self.losses)
        return seen

    def rest(self):
        """Let the page draw some frames, in which a training that goes on would ask for more; then `settle`."""
        self.page.evaluate(
            "new Promise((done, n = 12) => { const go = () => n-- ? requestAnimationFrame(go) : done(); go() })"
        )
        self.settle()

    def pixels(self, selector):
        self.settle()
        return self.page.evaluate("(canvas) => document.querySelector(canvas).toDataURL()", selector)

    def line(self, weight):
        """Return where the middle of a weight's line is on the screen; `weight` is "layer,node,source"."""
        self.page.wait_for_selector(f'.hit[data-weight="{weight}"]', state="attached")
        return self.page.evaluate(
            """(weight) => {
                const line = document.querySelector(`.hit[data-weight="${weight}"]`);
                const { x, y } = line.getPointAtLength(line.getTotalLength() / 2);
                const box = document.getElementById("svg").getBoundingClientRect();
                return [box.left + x, box.top + y];
            }""",
            weight,
        )
