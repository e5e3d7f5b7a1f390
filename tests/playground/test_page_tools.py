"""The playground's page in a browser: what it has beyond the original's, and what may go wrong around it."""

import ast
import json
import re
import struct

import pytest

from tests.playground.browser import PATIENCE, TABLE

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow


def test_a_table_is_pasted(play):
    p = play()
    p.page.fill("#table", TABLE)
    p.click("#use-table")
    expect(p.page.locator("#datasets [aria-checked=true]")).to_have_attribute("data-dataset", "own")
    expect(p.page.locator("#messages")).to_contain_text("label no is -1, yes is 1")
    assert p.link["points"].count(";") == 3
    assert p.page.get_attribute("#weight-point", "max") == "2"
    p.page.fill("#percTrainData", "90")
    p.until(lambda: p.page.get_attribute("#weight-point", "max") == "3")
    p.step()
    p.page.fill("#table", "1,2\n")
    p.click("#use-table")
    expect(p.page.locator("#messages .bad")).to_contain_text("line 1: got 2 values")
    p.step()


def test_a_file_is_opened_or_dropped(play):
    p = play()
    p.page.set_input_files("#file", {"name": "points.csv", "mimeType": "text/csv", "buffer": TABLE.encode()})
    p.linked(dataset="own")
    assert p.page.input_value("#table") == TABLE
    p.click("[data-dataset=circle]")
    p.linked(dataset="circle")
    p.page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.items.add(new File([text], "points.tsv"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        TABLE.replace(",", "\t") + "5\t5\tyes\n",
    )
    p.until(lambda: p.link.get("points", "").count(";") == 4)
    p.page.set_input_files("#file", {"name": "big.csv", "mimeType": "text/csv", "buffer": b"1,2,3\n" * 20_000})
    expect(p.page.locator("#messages .bad")).to_contain_text("big.csv has 120000 bytes")


def test_the_network_is_kept_as_python_json_and_a_picture(play, tmp_path):
    p = play("seed=0.1&optimizer=adam&networkShape=3")
    p.step(2)
    files = {}
    for form in ("python", "json", "png"):
        with p.page.expect_download() as waiting:
            p.click(f"#export-{form}")
        files[form] = waiting.value.path().read_bytes()
        assert waiting.value.suggested_filename == f"playground.{ {'python': 'py'}.get(form, form) }"
    ast.parse(files["python"].decode())
    run = json.loads(files["json"])
    assert (run["config"]["epochs"], run["config"]["hidden"], run["lossEpochs"]) == (2, [3], [0, 1, 2])
    assert [f"{loss:.3f}" for loss in run["loss"][-1]] == list(p.losses)
    assert files["png"][:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", files["png"][16:24])
    assert 1500 < width < 4000 and 700 < height < 2000 and len(files["png"]) > 20_000


def test_it_stops_at_an_epoch(play):
    p = play("seed=0.1&speed=5")
    p.page.fill("#stopEpoch", "12")
    p.page.keyboard.press("Enter")
    p.linked(stopEpoch="12")
    p.click("#play-pause-button")
    expect(p.page.locator("#messages")).to_contain_text("Stopped at epoch 12.")
    p.rest()
    assert (p.epoch, p.playing) == (12, False)
    p.click("#messages button", "#next-step-button")
    expect(p.page.locator("#messages")).to_contain_text("Stopped at epoch 12.")
    p.page.fill("#stopEpoch", "0")
    p.page.keyboard.press("Enter")
    p.until(lambda: "stopEpoch" not in p.link)
    p.page.evaluate("document.activeElement.blur()")
    p.page.select_option("#speed", "2")
    p.linked(speed="2")
    assert p.page.input_value("#stopEpoch") == "" and p.page.get_attribute("#stopEpoch", "placeholder") == "never"
    p.step()


def test_it_stops_once_solved(play):
    p = play("seed=0.1&dataset=gauss&stopSolved=true&learningRate=0.1")
    p.click("#play-pause-button")
    expect(p.page.locator("#messages .good")).to_contain_text("Solved after")
    assert not p.playing
    assert float(p.text("#accuracy-test").split()[0]) >= 99
    assert f"{p.epoch:,} epochs" in p.text("#messages .good")


def test_several_networks_train_side_by_side(play):
    p = play("seed=0.1&dataset=xor")
    output = p.pixels("#heatmap .map")
    p.page.select_option("#networks", "16")
    expect(p.page.locator("#networks-summary")).to_contain_text("The mean of 16 networks")
    p.until(lambda: p.pixels("#heatmap .map") != output)
    p.step(2)  # of every network, however many frames that takes
    p.page.select_option("#networks", "1")
    expect(p.page.locator("#networks-summary")).to_be_hidden()


def test_the_challenge_is_the_spiral_from_two_features(play):
    p = play("seed=0.1&xSquared=true&dataset=xor&stopSolved=false&hideText=false")
    p.click("#to-challenge", "#challenge-start")
    p.linked(dataset="spiral")
    names = ("x", "y", "xSquared", "ySquared", "xTimesY", "sinX", "sinY")
    assert [name for name in names if p.link[name] == "true"] == ["x", "y"]
    assert p.page.is_checked("#stopSolved")
    p.click("#challenge-solve")
    p.linked(networkShape="8,8,8,8,8")
    loss = float(p.loss)
    p.click("#play-pause-button")
    p.until(lambda: float(p.loss) < 0.8 * loss)


def test_divergence_is_said_and_taken_back(play):
    p = play("seed=0.1&problem=regression&activation=relu&learningRate=10")
    p.click("#play-pause-button")
    message = p.page.locator("#messages .bad")
    expect(message).to_contain_text(re.compile(r"Diverged: .* after update \d+, in epoch \d+"))
    assert not p.playing
    said = re.search(r"in epoch (\d+)", message.text_content())
    assert p.epoch == int(said[1]) - 1
    p.page.select_option("#learningRate", "0.001")
    p.click("#reset-button")
    p.reached(0)
    p.step(2)


def test_controls_are_hidden_for_a_lesson(play):
    p = play()
    p.click("summary", "[name=learningRate]")
    expect(p.page.locator("#learningRate")).to_be_hidden()
    assert p.link["learningRate_hide"] == "true"
    p.click("[name=learningRate]")
    expect(p.page.locator("#learningRate")).to_be_visible()


def test_a_hand_faster_than_the_answers_loses_no_change(play):
    p = play()
    p.page.evaluate(
        """() => {
            for (const id of ["add-layers", "add-layers", "neurons1-1", "neurons1-1", "neurons-1-2"]) {
                document.getElementById(id).click();
            }
            for (const [id, name] of [["activation-1", "relu"], ["activation-2", "sigmoid"]]) {
                const select = document.getElementById(id);
                select.value = name;
                select.dispatchEvent(new Event("change"));
            }
            for (const name of ["learningRate", "dropout"]) document.querySelector(`[name=${name}]`).click();
        }"""
    )
    expected = {"networkShape": "6,1,2,2", "activations": "relu,sigmoid,tanh,tanh"}
    p.linked(**expected, learningRate_hide="true", dropout_hide="true")
    expect(p.page.locator("#dropout")).to_be_hidden()


def test_the_link_is_copied(play):
    p = play(permissions=["clipboard-read", "clipboard-write"])
    p.click("#copy-link")
    expect(p.page.locator("#messages .good")).to_contain_text("copied")
    assert p.page.evaluate("navigator.clipboard.readText()") == p.page.url


def test_the_keyboard_is_enough(play):
    p = play()
    order = []
    for _ in range(8):
        p.page.keyboard.press("Tab")
        order.append(p.page.evaluate("document.activeElement.id || document.activeElement.className"))
    buttons = ["reset-button", "play-pause-button", "next-step-button", "restart-button"]
    assert order == ["skip", "to-challenge", "to-backprop", *buttons, "learningRate"]
    p.page.evaluate("document.activeElement.blur()")
    p.page.keyboard.press("Space")
    p.until(lambda: p.playing and p.epoch > 2)
    p.page.keyboard.press("Space")
    p.until(lambda: not p.playing)
    p.page.keyboard.press("r")
    p.reached(0)
    p.page.keyboard.press("s")
    p.reached(1)
    start = p.losses
    p.page.keyboard.press("w")
    p.until(lambda: p.losses != start)
    p.page.focus("[data-dataset=circle]")
    for key, name in [("ArrowRight", "xor"), ("ArrowDown", "gauss"), ("ArrowLeft", "xor")]:
        p.page.keyboard.press(key)
        expect(p.page.locator(f"[data-dataset={name}]")).to_be_focused()
        expect(p.page.locator(f"[data-dataset={name}]")).to_have_attribute("aria-checked", "true")
    p.page.focus("#neurons1-1")
    p.page.keyboard.press("Enter")
    p.linked(networkShape="5,2")
    expect(p.page.locator("#neurons1-1")).to_be_focused()


@pytest.mark.parametrize(("link", "part"), [(".skip", "main-part"), ("#to-challenge", "challenge")])
def test_going_to_a_part_of_the_page_leaves_the_set_up_and_the_training(play, link, part):
    p = play("seed=0.1&dataset=xor")
    p.step(2)
    before = p.link
    p.page.focus(link)
    p.page.keyboard.press("Enter")
    expect(p.page.locator(f"#{part}")).to_be_focused()
    p.rest()
    assert (p.epoch, p.link) == (2, before)


@pytest.mark.parametrize("link", ["", "networkShape=16,16,16,16,16,16,16,16,16,16", "networks=4&problem=regression"])
def test_a_narrow_screen_scrolls_only_down(play, link):
    p = play(f"seed=0.1&{link}")
    p.page.set_viewport_size({"width": 390, "height": 844})
    p.page.select_option("#weight-to", "0,1")
    expect(p.page.locator("#chain table")).to_have_count(4)
    assert p.page.evaluate("document.documentElement.scrollWidth") <= 390
    p.step()


def test_less_motion_trains_all_the_same(play):
    p = play(reduced_motion="reduce")
    p.click("#play-pause-button")
    p.until(lambda: p.epoch >= 2)


def test_dark_paper(play):
    p = play(color_scheme="dark")
    assert p.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 25, 28)"
    lines = p.pixels(".lines")
    p.page.emulate_media(color_scheme="light")
    p.until(lambda: p.pixels(".lines") != lines)


def test_two_tabs_are_independent(play):
    one, other = play(), play()
    assert one.losses == other.losses
    one.step(2)
    one.click("[data-dataset=spiral]")
    one.linked(dataset="spiral")
    assert (other.epoch, other.link["dataset"]) == (0, "circle")
    other.step()
