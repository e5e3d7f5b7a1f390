"""`python -m tests.pictures [REPORT]`: writes the README's pictures, of the pages and of a report, to experiments/."""

import io
import sys
from pathlib import Path
from shutil import which
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from jaxnn.backprop.levels.table import LEVELS
from tests.playground.browser import ARGUMENTS, BROWSERS, ROOT, Play, serving

FOLDER = ROOT / "experiments"
SIZE = {"width": 1280, "height": 800}


def main(report: Path | None) -> None:
    """Take the pictures with what runs here: the challenge solved, a line that is wrong, a report's section 6."""
    path = next(filter(None, map(which, BROWSERS)))
    with serving() as served, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE)
        play = Play(page, served.address).open("seed=0.1")
        play.click("#challenge-solve")
        play.linked(dataset="spiral")
        play.click("#play-pause-button")
        page.wait_for_selector("#messages .good", timeout=300_000)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        play.rest()
        keep(page, "playground.png")
        level = LEVELS["hidden"]
        text = level.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1")
        page.goto(f"{served.address}backprop/#{urlencode({'level': level.name, 'text': text})}")
        page.wait_for_selector(".line.wrong .entry")
        keep(page, "backprop.png")
        if report is not None:
            page.goto(f"{report.resolve().as_uri()}#hidden_layer")
            keep(page, "report.png")
        browser.close()


def keep(page: Page, name: str) -> None:
    """Write what a page shows as a picture of 256 colours, a third of the size of one of all."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)
    print(FOLDER / name, (FOLDER / name).stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
