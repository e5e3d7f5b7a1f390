"""The page in a browser: what is typed, what is said of it, what is kept, and what is seen at three sizes."""

import json
import re
from urllib.parse import urlencode

import pytest

from jaxnn.backprop.levels.table import LEVELS
from tests.playground.browser import PATIENCE, serving, violations

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow

HIDDEN, LINEAR = LEVELS["hidden"], LEVELS["linear"]
SIZES = {"desk": (1280, 800), "projector": (1024, 768), "phone": (390, 844)}


def link(level, text=None):
    return urlencode({"level": level} | ({} if text is None else {"text": text}))


@pytest.fixture
def lesson(chromium, playground):
    """Opens the page at a link; it may log no error, nor ask another host for anything."""
    seen, errors, urls = [], [], []

    def opened(hash="", size="desk", address=playground.address, **options):
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: urls.append((request.url, address)))
        page.goto(f"{address}backprop/#{hash}")
        page.wait_for_selector("body[data-judged]", timeout=1000 * PATIENCE)
        seen.append(context)
        return page

    opened.errors = errors
    yield opened
    for context in seen:
        context.close()
    assert errors == []
    assert all(url.startswith((address, "blob:", "data:")) for url, address in urls)


def field(page, number):
    return page.locator(f"#editor li:nth-child({number}) input")


def line(page, number):
    return page.locator(f"#editor li:nth-child({number})")


def test_a_finger_puts_in_what_a_phones_keyboard_hides(lesson):
    page = lesson(link("hidden"), "phone", has_touch=True, is_mobile=True)
    field(page, 2).tap()
    for text in ("A1", ".T", "@", "dZ2", "/", "m"):
        page.get_by_role("group", name="Names and signs to put in").get_by_role("button", name=text, exact=True).tap()
    expect(field(page, 2)).to_have_value("dW2 = A1.T @ dZ2 / m")
    expect(field(page, 2)).to_be_focused()
    expect(line(page, 2).locator(".say")).to_have_text("right, once dZ2 is")
    assert all(button.bounding_box()["height"] >= 29 for button in page.locator(".hint-button:visible").all())
    assert violations(page) == []


def test_signs_for_fingers_are_not_shown_to_a_mouse(lesson):
    page = lesson(link("hidden"))
    field(page, 2).click()
    expect(page.locator(".keys-row")).to_be_hidden()


def test_a_level_is_solved_with_the_keyboard_alone(lesson):
    page = lesson(link("linear"))
    field(page, 1).focus()
    page.keyboard.press("End")
    page.keyboard.type("2 * (yhat - y)")
    expect(line(page, 1)).to_have_class(re.compile(r"\botherwise\b"))
    expect(line(page, 1).locator(".say")).to_contain_text("written otherwise than in the lecture")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.type("X @ dyhat")
    expect(line(page, 2)).to_have_class(re.compile(r"\berror\b"))
    expect(line(page, 2).locator(".say")).to_contain_text("X.T @ dyhat would go")
    expect(page.locator("#live")).to_have_text(
        "Line 2: error: X @ dyhat: got shapes (5, 2) and (5, 1), expected 2 and 5 to be equal; X.T @ dyhat would go"
    )
    for _ in "X @ dyhat":
        page.keyboard.press("Backspace")
    page.keyboard.type("X.T @ dyhat")
    page.keyboard.press("Enter")  # a line of one's own in between
    page.keyboard.type("ones = zeros((1, 5)) + 1")
    expect(line(page, 3)).to_have_class(re.compile(r"\bown\b"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.type("ones @ dyhat")
    expect(page.locator("#result")).to_contain_text("Every line is right.")
    expect(page.locator("#result")).to_contain_text("jaxnn.verify says PASS")
    expect(page.locator("#levels [aria-current]")).to_contain_text("solved")
    page.click("#result .next")
    expect(page.locator("#level-title")).to_have_text("Four activations")


def test_a_wrong_line_has_its_cause_an_entry_and_three_hints(lesson):
    page = lesson(link("hidden", HIDDEN.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1")))
    wrong = line(page, 5)
    expect(wrong).to_have_class(re.compile(r"\bwrong\b"))
    expect(wrong.locator(".say")).to_have_text("dW1: too large by the factor m = 5: a mean is missing, the 1/m")
    expect(wrong.locator(".entry")).to_have_text(
        "entry [1, 2]: by hand −0.05371, true −0.01074, by differences −0.01074"
    )
    for count, words in enumerate(("Where to look", "What is missing", "dW1 = X.T @ dZ1 / m"), 1):
        wrong.locator(".hint-button").click()
        expect(wrong.locator(".hints li")).to_have_count(count)
        expect(wrong.locator(".hints li").last).to_contain_text(words)
    wrong.locator(".hint-button").click()
    expect(wrong.locator(".hints li")).to_have_count(0)
    assert (
        field(page, 5).get_attribute("aria-invalid") == "true"
        and field(page, 4).get_attribute("aria-invalid") == "false"
    )
    described = field(page, 5).get_attribute("aria-describedby").split()
    assert "a mean is missing" in page.text_content(f"#{described[0]}")
    assert field(page, 5).get_attribute("aria-label") == "Line 5, dW1"


def test_the_graph_shows_the_adjoints_that_are_right(lesson):
    page = lesson(link("hidden", "dZ2 = A2 - y\ndW2 = X"))
    known = page.locator("#graph .known")
    expect(known).to_have_count(1)
    assert known.get_attribute("data-name") == "Z2"
    page.locator("#graph [data-name=W2]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#numbers")).to_contain_text("dW2 shows here once your line is right.")
    page.locator("#graph [data-name=Z2]").click()
    expect(page.locator("#numbers caption")).to_have_text(["Z2 5 × 1", "dZ2 5 × 1"])
    field(page, 2).fill("dW2 = A1.T @ dZ2 / m")
    expect(known).to_have_count(2)


def test_in_the_chain_the_slopes_stand_on_the_lines(lesson):
    page = lesson(link("chain", LEVELS["chain"].solution))
    slopes = page.locator("#graph .slope[visibility=visible]")
    expect(slopes).to_have_count(8)
    assert sorted(slopes.all_text_contents()) == sorted(["4", "54.6", "1", "1", "0.06532", "−0.8876", "1", "1"])


def test_a_mistake_is_to_be_found_before_it_is_told(lesson):
    page = lesson(link("bug-shares"))
    expect(page.locator("#cover")).to_be_visible()
    expect(page.locator(".line.wrong")).to_have_count(0)
    expect(page.locator("#level-bug a")).to_have_attribute("href", LEVELS["bug-shares"].bug.source)
    page.click("#train")
    expect(page.locator("#training-words")).to_contain_text(
        "with your gradient the loss goes from 1.787 to 0.01063, with the true gradient to 0.0004038"
    )
    field(page, 2).fill("dV = A @ dO")  # what is touched is judged
    expect(line(page, 2)).to_have_class(re.compile(r"\bwrong\b"))
    expect(page.locator(".line.wrong")).to_have_count(1)
    page.click("#uncover")
    expect(line(page, 4)).to_have_class(re.compile(r"\bwrong\b"))
    expect(page.locator("#cover")).to_be_hidden()
    field(page, 2).fill("dV = A.T @ dO")
    field(page, 4).fill("dS = A * (dA - sum(A * dA, axis=1, keepdims=True))")
    expect(page.locator("#result")).to_contain_text("Found, and mended")


def test_the_own_gradient_trains_beside_the_true_one(lesson):
    page = lesson(link("hidden", HIDDEN.solution), reduced_motion="reduce")
    page.click("#train")
    expect(page.locator("#training-words")).to_contain_text("the true gradient gives the same, step by step")
    one, other = (page.evaluate(f"document.getElementById('map-{which}').toDataURL()") for which in ("hand", "true"))
    assert one == other
    assert page.locator("#step-now").text_content() == "500"
    page.locator("#step").fill("0")
    assert page.evaluate("document.getElementById('map-hand').toDataURL()") != one
    field(page, 2).fill("dW2 = -A1.T @ dZ2 / m")
    expect(page.locator("#training")).to_be_hidden()  # it was another gradient's
    page.click("#train")
    expect(page.locator("#training-words")).not_to_contain_text("the same")
    field(page, 2).fill("dW2 = ")
    page.click("#train")
    expect(page.locator("#messages .bad")).to_contain_text("nothing behind the =")


def test_progress_stays_in_the_browser_and_a_link_holds_the_text(lesson):
    page = lesson(link("linear"))
    field(page, 1).fill("dyhat = 2 * (yhat - y)")
    expect(line(page, 1)).to_have_class(re.compile(r"\botherwise\b"))
    address = page.url
    assert "2+*+%28yhat+-+y%29" in address
    page.click("#levels button:has-text('Dropout')")
    expect(page.locator("#level-title")).to_have_text("Dropout")
    expect(page.locator("#levels .begun")).to_have_count(1)
    page.go_back()
    expect(page.locator("#level-title")).to_have_text("The linear network")
    assert field(page, 1).input_value() == "dyhat = 2 * (yhat - y)"
    page.click("#start-over")
    expect(page.locator("#levels .begun")).to_have_count(0)
    kept = json.loads(page.evaluate("localStorage.getItem('jaxnn-backprop')"))
    assert kept["last"] == "linear" and kept["linear"]["text"] is None
    assert not page.context.cookies()
    expect(page.locator("#messages")).to_contain_text("back button brings your lines back")
    page.go_back()
    expect(field(page, 1)).to_have_value("dyhat = 2 * (yhat - y)")
    other = lesson(address.split("#")[1])  # another browser
    assert field(other, 1).input_value() == "dyhat = 2 * (yhat - y)"


def test_files_are_written(lesson):
    page = lesson(link("linear", LINEAR.solution))
    for button, name, has in (
        ("#export-python", "linear.py", "check(loss, grad"),
        ("#export-r", "linear.R", "backwardPropagation <- function"),
    ):
        with page.expect_download() as waiting:
            page.click(button)
        assert waiting.value.suggested_filename == name and has in waiting.value.path().read_text()


def test_a_link_may_hold_anything(lesson):
    wild = "<img src=x onerror=alert(1)>\nq = `${1}`\ndZ2 = __import__\n" + "(" * 250
    page = lesson(link("hidden", wild))
    expect(page.locator(".line.error")).to_have_count(4)
    assert field(page, 1).input_value() == "<img src=x onerror=alert(1)>" and page.locator("#editor img").count() == 0
    page.goto(page.url.split("#")[0] + "#" + link("no such level"))
    page.reload()
    expect(page.locator("#level-title")).to_have_text("The chain rule: f(x)")


def test_lines_are_pasted_split_and_joined(lesson):
    page = lesson(link("linear"))
    field(page, 1).focus()
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.setData("text", "one = 1\\ntwo = 2\\nthree = 3");
        document.activeElement.select();
        const options = { clipboardData: data, bubbles: true, cancelable: true };
        document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
    }""")
    texts = lambda: [one.input_value() for one in page.locator("#editor input").all()]  # noqa: E731
    assert texts() == ["one = 1", "two = 2", "three = 3", "dbeta = ", "dbeta0 = "]
    field(page, 2).focus()
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    assert texts()[0] == "one = 1two = 2" and len(texts()) == 4
    for _ in "two = 2":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert texts()[:2] == ["one = 1two = 2", ""]


def test_a_server_that_is_gone_is_told_and_nothing_is_lost(lesson):
    with serving() as own:
        page = lesson(link("linear"), address=own.address)
    lesson.errors.clear()
    field(page, 1).fill("dyhat = 2 * (yhat - y)")
    expect(page.locator("#messages .bad")).to_contain_text("The server does not answer")
    assert field(page, 1).input_value() == "dyhat = 2 * (yhat - y)"
    page.wait_for_timeout(200)
    assert lesson.errors and all("ERR_CONNECTION_REFUSED" in error for error in lesson.errors)
    lesson.errors.clear()


def test_both_pages_lead_to_each_other(lesson, playground):
    page = lesson()
    page.click("header a")
    assert page.url.split("#")[0] == playground.address
    page.click("header a[href='backprop/']")
    expect(page.locator("#level-title")).to_have_text("The chain rule: f(x)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_what_stands_where(lesson, size, scheme):
    page = lesson(link("hidden", HIDDEN.solution.replace("A2 - y", "y")), size, color_scheme=scheme)
    expect(page.locator(".line.wrong")).to_have_count(1)
    width, height = SIZES[size]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    code, lines, graph = (page.locator(part).bounding_box() for part in ("#forward", "#editor", "#graph-panel"))
    if size == "phone":
        assert code["y"] < lines["y"] < graph["y"]
    else:  # the forward pass and the lines are in view together
        assert code["y"] + code["height"] <= height and lines["y"] + lines["height"] <= height + 40
        assert code["x"] + code["width"] <= lines["x"]
    for part in (".wrong .say", ".line .hint-button", "#level-words", "#graph-panel .hint", "#levels button"):
        found = page.locator(part).first
        if found.is_visible():
            assert contrast(page, found) >= 4.5, part


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing(lesson, size, scheme):
    wrong = HIDDEN.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1").replace("db1 = sum", "db1 = smu")
    page = lesson(link("hidden", wrong), size, color_scheme=scheme)
    expect(page.locator(".line.wrong, .line.error")).to_have_count(2)
    for _ in range(3):
        page.click(".wrong .hint-button")
    page.click("#language-button")
    if size != "desk":
        page.click("#levels-box summary")
    page.locator("#graph [data-name=W2]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#numbers caption").first).to_be_visible()
    assert page.get_by_role("button", name="W2 4×1").get_attribute("data-name") == "W2"  # as a screen reader has it
    assert violations(page) == []
    page = lesson(link("linear", LINEAR.solution), size, color_scheme=scheme, reduced_motion="reduce")
    page.click("#train")
    expect(page.locator("#training-words")).to_contain_text("the same, step by step")
    assert violations(page) == []
    assert violations(lesson(link("bug-shares"), size, color_scheme=scheme)) == []


def contrast(page, element):
    """Return the contrast of a text with what is behind it, as WCAG has it."""
    return element.evaluate(
        """(element) => {
            const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            const behind = [];
            for (let one = element; one; one = one.parentElement) behind.unshift(getComputedStyle(one).backgroundColor);
            const luminance = (colours) => {
                canvas.clearRect(0, 0, 1, 1);
                for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
                const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const two = [luminance([...behind, getComputedStyle(element).color]), luminance(behind)];
            return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
        }"""
    )
