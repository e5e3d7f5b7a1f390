"""The playground's page in a browser: what stands where, on a desk, a projector and a phone, and what is seen."""

import re

import pytest

from tests.playground.browser import PATIENCE, TABLE, violations

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow


def test_a_message_stands_beside_its_control(play):
    p = play()
    p.page.locator("#table").scroll_into_view_if_needed()
    p.page.fill("#table", "1,2\n")
    p.click("#use-table")
    message, button = p.page.locator("#messages .bad"), p.page.locator("#use-table")
    expect(message).to_contain_text("line 1: got 2 values")
    one, other = message.bounding_box(), button.bounding_box()
    assert abs(one["x"] - other["x"]) < 30
    assert -2 < one["y"] - other["y"] - other["height"] < 20 or -2 < other["y"] - one["y"] - one["height"] < 20
    assert p.page.get_attribute("#messages", "aria-live") == "polite"
    p.page.fill("#table", TABLE)
    p.click("#use-table")
    p.linked(dataset="own")
    expect(message).to_have_count(0)
    p.page.evaluate("scrollTo(0, 0)")
    p.page.keyboard.press("Escape")
    p.page.evaluate("document.activeElement.blur()")
    p.page.fill("#table", "x")
    p.page.evaluate("document.getElementById('use-table').click()")  # whose control is out of sight
    box = message.bounding_box()
    assert 0 <= box["y"] and box["y"] + box["height"] <= p.page.viewport_size["height"]


HIDDEN = """
    (message) => {
        const { left, right, top, bottom } = message.getBoundingClientRect();
        return [...document.querySelectorAll("h1, h2, p, dd, label, button, select, canvas, svg")].filter((one) => {
            const box = one.getBoundingClientRect(), shown = box.width > 1 && box.height > 1 && !message.contains(one);
            return shown && box.left < right && left < box.right && box.top < bottom && top < box.bottom;
        }).map((one) => one.outerHTML.slice(0, 80));
    }
"""  # what lies under a message, by the boxes of both


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (390, 844)])
def test_a_message_of_the_bar_or_of_the_link_hides_nothing(play, size):
    p = play("seed=0.1&noise=90")
    p.page.set_viewport_size({"width": size[0], "height": size[1]})
    p.rest()
    assert p.page.locator("#messages .bad").evaluate(HIDDEN) == []
    p.click("#messages button")
    p.page.evaluate("location.hash = 'seed=0.1&stopEpoch=1'")
    p.linked(stopEpoch="1")
    p.step()
    p.click("#next-step-button")
    message = p.page.locator("#messages .message")
    expect(message).to_contain_text("Stopped at epoch 1.")
    assert message.evaluate(HIDDEN) == []
    for part in ("#heatmap .map", "#play-pause-button"):
        box = p.page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= size[1], part
    p.click("#clear-points")  # beside which there is no room
    expect(message).to_have_count(2)
    assert message.last.evaluate(HIDDEN) == [] and p.page.locator("#brush").is_visible()
    p.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    p.page.set_viewport_size(
        {"width": size[0], "height": size[1] - 20}
    )  # where the row is out of sight it is at the foot
    for one in message.all():
        expect(one).to_be_in_viewport()


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768)])
def test_data_network_and_output_are_in_view_together(play, size):
    p = play()
    p.page.set_viewport_size({"width": size[0], "height": size[1]})
    p.rest()
    for part in ("#play-pause-button", "#datasets", "#batchSize", "#data-regen-button", "#network", "#heatmap .map"):
        box = p.page.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1], part
    assert p.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_on_a_projector_the_controls_are_one_row_and_the_rest_behind_a_button(play):
    p = play()
    first, last = (p.page.locator(part).bounding_box() for part in ("#learningRate", "#stopEpoch"))
    assert abs(first["y"] - last["y"]) < 4 and not p.page.locator("#more").is_visible()
    p.page.set_viewport_size({"width": 1024, "height": 768})
    p.rest()
    first, last, more = (p.page.locator(part).bounding_box() for part in ("#learningRate", "#networks", "#more"))
    assert abs(first["y"] - last["y"]) < 4 and abs(first["y"] - more["y"]) < 12
    expect(p.page.locator("#stopEpoch")).to_be_hidden()
    p.click("#more")
    assert p.page.get_attribute("#more", "aria-expanded") == "true"
    p.page.fill("#stopEpoch", "3")
    p.page.keyboard.press("Enter")
    p.linked(stopEpoch="3")
    p.page.set_viewport_size({"width": 390, "height": 844})
    expect(p.page.locator("#precision")).to_be_visible()


@pytest.mark.parametrize(("width", "shape"), [(1280, [16] * 10), (390, [4, 4, 4])])
def test_of_a_large_network_all_is_seen_and_each_layer_has_its_own_controls(play, width, shape):
    p = play(f"seed=0.1&networkShape={','.join(map(str, shape))}")
    p.page.set_viewport_size({"width": width, "height": 800})
    p.rest()
    assert p.page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.getElementById('network-scroll'))")
    for layer in range(1, len(shape) + 1):
        p.click(f"#neurons-1-{layer}")
        shape[layer - 1] -= 1
    p.linked(networkShape=",".join(map(str, shape)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (390, 844)])
def test_axe_finds_nothing(play, size, scheme):
    p = play("seed=0.1&networks=4", color_scheme=scheme)
    p.page.set_viewport_size({"width": size[0], "height": size[1]})
    p.step()
    assert violations(p.page) == []
    p.page.select_option("#networks", "1")
    p.page.select_option("#weight-to", index=1)
    expect(p.page.locator("#chain table")).to_have_count(4)
    p.page.fill("#table", "1,2\n")
    p.click("#use-table")
    expect(p.page.locator("#messages .bad")).to_contain_text("line 1: got 2 values")
    assert violations(p.page) == []


def test_on_a_phone_play_and_the_map_come_first(play):
    p = play()
    p.page.set_viewport_size({"width": 390, "height": 844})
    p.rest()
    boxes = [
        p.page.locator(part).bounding_box() for part in ("#play-pause-button", "#heatmap", "#network", "#learningRate")
    ]
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)
    assert boxes[1]["y"] + boxes[1]["height"] < 844


def test_float64_is_offered(play):
    p = play()
    p.page.select_option("#precision", "float64")
    p.linked(precision="float64")
    p.step()


def test_links_killed_by_l1_are_seen(play):
    p = play("seed=0.1&regularization=L1&regularizationRate=10&learningRate=0.1&networkShape=2")
    p.step(3)
    inked = """() => {
        const lines = document.querySelector(".lines"), { width, height } = lines, context = lines.getContext("2d");
        const { data } = context.getImageData(0, 0, width, height);
        let grey = 0;
        for (let i = 0; i < data.length; i += 4) {
            grey += data[i + 3] > 200 && data[i] < 190 && Math.abs(data[i] - data[i + 2]) < 40;
        }
        return grey;
    }"""
    assert p.page.evaluate(inked) > 300


def test_the_chart_tells_the_values_under_the_pointer(play):
    p = play("seed=0.1&learningRate=0.1")
    p.step(3)
    expect(p.page.locator("#chart-value")).to_be_hidden()
    box = p.page.locator("#linechart").bounding_box()
    p.page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 40)
    train, test = p.losses
    said = p.text("#chart-value")
    assert said.startswith("epoch 3: training ") and "test " in said
    assert [f"{float(value):.3f}" for value in re.findall(r"0\.\d+", said)] == [train, test]


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768)])
def test_a_chain_is_seen_as_a_whole_forward_beside_back(play, size):
    p = play("seed=0.1&networkShape=4,2")
    p.page.set_viewport_size({"width": size[0], "height": size[1]})
    p.page.select_option("#weight-to", "1,0")
    expect(p.page.locator("#chain table")).to_have_count(4)
    chain = p.page.locator("#chain")
    assert chain.evaluate("(box) => box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth")
    forward, *back = (table.bounding_box() for table in chain.locator("table").all())
    assert all(
        box["x"] >= forward["x"] + forward["width"] and box["y"] < forward["y"] + forward["height"] for box in back
    )
    texts = p.page.locator(".metrics dd").all()  # nor does a number of the output stand out of its column
    assert all(box["x"] + box["width"] <= size[0] - 13 for box in map(lambda text: text.bounding_box(), texts) if box)
