"""The page is served and looked at as the playground's is."""

from tests.playground.conftest import chromium as chromium
from tests.playground.conftest import playground as playground
