"""The playground is tested in float32, as its users start; the engine's tests choose their precision themselves."""

import shutil

import jax
import pytest

from tests.playground.browser import ARGUMENTS, BROWSERS, Play, serving


@pytest.fixture(autouse=True, scope="module")
def precision(request):
    jax.config.update("jax_enable_x64", request.path.name == "test_engine.py")
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture(scope="session")
def playground():
    """A playground: its address, and its process."""
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def chromium():
    """A browser without a window."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is on the PATH")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def play(chromium, playground):
    """Opens pages of the playground; none may log an error, nor ask another host for anything."""
    pages = []

    def opened(link="seed=0.1", **options):
        context = chromium.new_context(viewport={"width": 1280, "height": 1000}, **options)
        pages.append(Play(context.new_page(), playground.address))
        return pages[-1].open(link)

    yield opened
    for page in pages:
        page.page.context.close()
        assert page.errors == []
        assert all(url.startswith((playground.address, "blob:", "data:")) for url in page.asked)
