"""The playground's page in a browser: what TensorFlow Playground's own page has."""

import re

import pytest

from tests.playground.browser import PATIENCE

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow

ORIGINAL = (
    "activation=relu&regularization=L1&batchSize=12&dataset=spiral&regDataset=reg-plane&learningRate=0.1"
    "&regularizationRate=0.001&noise=15&networkShape=6,3,2&seed=0.23990&showTestData=true&discretize=true"
    "&percTrainData=70&x=true&y=true&xTimesY=true&xSquared=false&ySquared=false&cosX=false&sinX=true&cosY=false"
    "&sinY=false&collectStats=false&problem=classification&initZero=false&hideText=false"
)
CLASSIFICATION = ["circle", "xor", "gauss", "spiral", "lecture-sigmoid", "lecture-circle", "lecture-flower"]


def test_the_page_loads_with_the_originals_defaults(play):
    p = play("")
    expect(p.page.get_by_role("heading", level=1)).to_be_visible()
    assert (p.epoch, p.playing, p.link["networkShape"]) == (0, False, "4,2")
    assert [p.page.locator(kind).count() for kind in (".node", ".bias", ".layer-controls")] == [14, 7, 2]
    expect(p.page.locator(".hit")).to_have_count(2 * 4 + 4 * 2 + 2)
    files = {url.removeprefix(p.address).split("#")[0] for url in p.asked}
    assert {"", "style.css", "main.js", "network.js", "panels.js", "plots.js", "socket.js", "about.json"} <= files
    assert re.fullmatch(r"0\.\d{5}|[1-9]e-05|0\.0", p.text("#seed"))


def test_run_trains_and_pause_stops(play):
    p = play("seed=0.1&learningRate=0.1")
    first, chart = float(p.loss), p.pixels("#linechart")
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 20 and float(p.loss) < 0.8 * first)
    assert p.playing
    p.click("#play-pause-button")
    assert not p.playing
    p.page.hover("#node-1-0")  # what it asks for is answered last
    expect(p.page.locator("#map-title")).to_have_text("Layer 1, neuron 1")
    epoch = p.epoch
    p.page.hover("h1")
    expect(p.page.locator("#map-title")).to_have_text("The network’s output")
    assert p.epoch == epoch
    assert p.pixels("#linechart") != chart
    assert len(p.step(2)) == 2


def test_a_step_while_it_runs_pauses(play):
    p = play()
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 2)
    p.click("#next-step-button")
    assert not p.playing


def test_reset_goes_back_to_the_same_start(play):
    p = play()
    start = p.losses
    seen = p.step(3)
    assert len({start, *seen}) == 4
    p.click("#reset-button")
    p.reached(0)
    assert p.losses == start
    assert p.step(3) == seen
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 5)
    p.click("#reset-button")
    p.reached(0)
    p.rest()
    assert (p.epoch, p.losses, p.playing) == (0, start, False)


def test_a_weight_is_edited_at_its_line(play):
    p = play()
    card, field = p.page.locator("#hovercard"), p.page.locator("#hovercard input")
    expect(card).to_be_hidden()
    at, loss = p.line("2,0,1"), p.loss
    p.page.mouse.move(*at)
    expect(card).to_have_text(re.compile(r"Weight is -?0\.\d+Click to edit\."))
    p.page.mouse.click(*at)
    expect(field).to_be_focused()
    field.fill("2.5")
    expect(p.page.locator("#loss-train")).not_to_have_text(loss)
    edited = p.loss
    field.press("Enter")
    expect(field).to_be_hidden()
    expect(p.page.locator("#weight-value")).to_have_value("2.5")
    p.page.mouse.move(0, 0)
    p.page.mouse.move(*at)
    expect(card.locator(".value")).to_have_text("2.5")
    p.page.mouse.click(*at)
    field.fill("-4")
    expect(p.page.locator("#loss-train")).not_to_have_text(edited)
    field.press("Escape")
    expect(p.page.locator("#loss-train")).to_have_text(edited)
    p.step()
    p.click("#reset-button")
    expect(p.page.locator("#loss-train")).to_have_text(loss)


def test_a_bias_is_edited_at_its_square(play):
    p = play()
    bias, loss = p.page.locator("#bias-2-1"), p.loss
    bias.click()
    field = p.page.locator("#hovercard input")
    expect(field).to_have_value("0.1")
    field.fill("-1.5")
    expect(p.page.locator("#loss-train")).not_to_have_text(loss)
    field.press("Enter")
    expect(bias).to_be_focused()
    expect(bias).to_have_css("background-color", "rgb(245, 147, 34)")
    p.page.mouse.move(0, 0)
    bias.hover()
    expect(p.page.locator("#hovercard")).to_contain_text("Bias is -1.5")


def test_layers_and_neurons_are_added_and_removed(play):
    p = play()
    loss = p.loss
    for buttons, shape, lines in [
        ("#add-layers", "4,2,2", 22),
        ("#neurons1-3", "4,2,3", 25),
        ("#neurons-1-1", "3,2,3", 21),
        ("#remove-layers", "3,2", 14),
        ("#neurons-1-2", "3,1", 10),
    ]:
        p.click(buttons)
        expect(p.page.locator(".hit")).to_have_count(lines)
        assert p.link["networkShape"] == shape
        assert p.text("#num-layers") == str(shape.count(",") + 1)
    expect(p.page.locator("#neurons-1-2")).to_be_disabled()
    p.until(lambda: p.loss != loss)
    p.click("#remove-layers")
    expect(p.page.locator("#layers-label")).to_have_text("hidden layer")
    p.click("#remove-layers")
    expect(p.page.locator("#remove-layers")).to_be_disabled()
    expect(p.page.locator(".hit")).to_have_count(2)
    p.step()


def test_the_most_that_a_network_may_have(play):
    p = play("seed=0.1&networkShape=" + ",".join(["16"] * 10))
    expect(p.page.locator("#add-layers")).to_be_disabled()
    expect(p.page.locator("#neurons1-10")).to_be_disabled()
    expect(p.page.locator(".hit")).to_have_count(2 * 16 + 9 * 256 + 16)
    p.step()


def test_activations_of_all_layers_and_of_one(play):
    p = play()
    p.step()
    seen = {p.losses}
    p.page.select_option("#activation-1", "relu")
    p.reached(0)
    assert p.link["activations"] == "relu,tanh"
    seen.add(p.step()[0])
    for name in ("relu", "sigmoid", "linear", "softplus"):
        p.page.select_option("#activations", name)
        p.linked(activation=name)
        p.reached(0)
        seen.add(p.step()[0])
    assert p.link["activations"] == "relu,tanh"  # those of the layers stay
    p.click("#add-layers")
    expect(p.page.locator("#activation-3")).to_have_value("softplus")


def test_features_are_fed_in_and_left_out(play):
    p = play()
    p.step()
    p.click("#node-xSquared", "#node-sinY")
    expect(p.page.locator(".hit")).to_have_count(4 * 4 + 4 * 2 + 2)
    expect(p.page.locator("#node-xSquared")).to_have_attribute("aria-pressed", "true")
    p.linked(xSquared="true", sinY="true")
    p.reached(0)
    for name in ("x", "y", "sinY"):
        p.click(f"#node-{name}")
        expect(p.page.locator(f"#node-{name}")).to_have_attribute("aria-pressed", "false")
    p.click("#node-xSquared")
    expect(p.page.locator("#messages .bad")).to_contain_text("at least one")
    expect(p.page.locator("#node-xSquared")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    "problem, setting, names",
    [("classification", "dataset", CLASSIFICATION), ("regression", "regDataset", ["reg-plane", "reg-gauss"])],
)
def test_every_set_of_points(play, problem, setting, names):
    p = play()
    p.page.select_option("#problem", problem)
    expect(p.page.locator("#datasets button:visible")).to_have_count(len(names) + 1)
    expect(p.page.locator("#accuracy-test")).to_be_visible(visible=problem == "classification")
    seen = set()
    for name in names:
        p.click(f"[data-dataset={name}]")
        expect(p.page.locator("#datasets [aria-checked=true]")).to_have_attribute("data-dataset", name)
        p.linked(**{setting: name})
        p.reached(0)
        seen.add(p.pixels("#heatmap .points"))
        p.step()
    assert len(seen) == len(names)


def test_sliders(play):
    p = play()
    seen = {p.pixels("#heatmap .points")}
    for name, value, said in [
        ("percTrainData", "30", "Training data: 30 %"),
        ("noise", "25", "Noise: 25"),
        ("batchSize", "3", "Batch size: 3"),
    ]:
        p.page.fill(f"#{name}", value)
        expect(p.page.locator(f"label[for={name}]")).to_have_text(said)
        p.linked(**{name: value})
        p.reached(0)
        seen.add(p.pixels("#heatmap .points"))
        p.step()
    assert len(seen) == 3  # a batch changes no point
    p.page.focus("#noise")
    p.page.keyboard.press("ArrowRight")
    expect(p.page.locator("label[for=noise]")).to_have_text("Noise: 30")


def test_settings_of_the_training_reset_only_what_they_must(play):
    p = play()
    p.step(2)
    for control, name, value in [
        *[("learningRate", "learningRate", "0.3"), ("dropout", "dropout", "0.2")],
        *[("regularizations", "regularization", "L2"), ("regularRate", "regularizationRate", "0.1")],
    ]:
        p.page.select_option(f"#{control}", value)
        p.linked(**{name: value})
        assert p.epoch == 2
    p.page.select_option("#optimizer", "adam")
    p.linked(optimizer="adam")
    assert p.epoch == 2
    p.step()


def test_regenerate_draws_other_points_from_another_seed(play):
    p = play()
    points, seed = p.pixels("#heatmap .points"), p.text("#seed")
    p.click("#data-regen-button")
    expect(p.page.locator("#seed")).not_to_have_text(seed)
    p.until(lambda: p.pixels("#heatmap .points") != points)
    assert p.link["seed"] == p.text("#seed")


def test_a_link_of_the_original_sets_every_control(play):
    p = play(ORIGINAL)
    values = {
        **{"activations": "relu", "regularizations": "L1", "regularRate": "0.001", "learningRate": "0.1"},
        **{"problem": "classification", "batchSize": "12", "noise": "15", "percTrainData": "70"},
    }
    assert {name: p.page.input_value(f"#{name}") for name in values} == values
    assert p.page.is_checked("#show-test-data") and p.page.is_checked("#discretize")
    assert p.page.get_attribute("#datasets [aria-checked=true]", "data-dataset") == "spiral"
    assert p.page.locator(".layer-controls div").all_text_contents() == ["6 neurons", "3 neurons", "2 neurons"]
    features = {name: p.page.get_attribute(f"#node-{name}", "aria-pressed") for name in ("x", "y", "xTimesY", "sinX")}
    assert set(features.values()) == {"true"}
    assert [p.page.get_attribute(f"#node-{name}", "aria-pressed") for name in ("xSquared", "ySquared", "sinY")] == (
        ["false"] * 3
    )
    assert (p.text("#seed"), p.page.get_attribute("#weight-point", "max")) == ("0.23990", "350")
    kept = {name: value for name, value in (part.split("=") for part in ORIGINAL.split("&")) if name in p.link}
    assert {name: p.link[name] for name in kept} == kept


def test_a_reload_keeps_the_set_up(play):
    p = play()
    start = p.losses
    p.click("[data-dataset=spiral]", "#neurons1-1", "#node-sinX")
    p.page.select_option("#learningRate", "1")
    p.linked(sinX="true", learningRate="1")
    p.until(lambda: p.losses != start)
    link, losses = p.link, p.losses
    assert (link["dataset"], link["networkShape"]) == ("spiral", "5,2")
    p.page.reload()
    p.until(lambda: p.loss != "–")
    assert (p.link, p.losses, p.page.input_value("#learningRate")) == (link, losses, "1")


def test_a_link_hides_controls(play):
    p = play("seed=0.1&learningRate_hide=true&activation_hide=true&playButton_hide=true&hideText=true&sinX_hide=true")
    for gone in (
        "#learningRate",
        "#activations",
        "#activation-1",
        "#play-pause-button",
        "header p",
        "footer",
        "#node-sinX",
    ):
        expect(p.page.locator(gone)).to_be_hidden()
    for there in ("#regularizations", "#next-step-button", "#node-sinY", "#neurons1-1"):
        expect(p.page.locator(there)).to_be_visible()
    p.step()


def test_what_a_link_hides_is_what_the_original_hides(play):
    p = play("seed=0.1&percTrainData_hide=true&numHiddenLayers_hide=true&numNodes2_hide=true&hideText=true")
    for gone in (
        "#percTrainData",
        "#loss-test",
        "#add-layers",
        "#remove-layers",
        "#neurons1-2",
        "#article",
        "header p",
    ):
        expect(p.page.locator(gone)).to_be_hidden()
    for there in ("#loss-train", "#num-layers", "#neurons1-1", "#heatmap"):
        expect(p.page.locator(there)).to_be_visible()


def test_controls_follow_a_link_beyond_their_usual_ends(play):
    p = play("seed=0.1&noise=73&percTrainData=5&batchSize=64&learningRate=0.5&regularizationRate=0.02")
    assert [p.page.input_value(f"#{name}") for name in ("noise", "percTrainData", "batchSize")] == ["73", "5", "64"]
    assert [p.page.get_attribute(f"#{name}", end) for name, end in (("noise", "max"), ("percTrainData", "min"))] == [
        *("73", "5"),
    ]
    for control, value in (("learningRate", "0.5"), ("regularRate", "0.02")):
        rates = [
            float(option)
            for option in p.page.locator(f"#{control} option").evaluate_all("(all) => all.map((o) => o.value)")
        ]
        assert rates == sorted(rates) and p.page.input_value(f"#{control}") == value
    p.page.evaluate("location.hash = 'seed=0.1'")
    p.linked(noise="0")
    assert p.page.get_attribute("#noise", "max") == "50"


def test_a_bad_link_says_so_and_the_page_works(play):
    p = play("seed=0.1&batchSize=frog&networkShape=4,99&dataset=<b>&nonsense&=&%ZZ=1&learningRate=1e999")
    messages = p.page.locator("#messages .bad")
    expect(messages).to_have_count(4)
    assert all(name in p.text("#messages") for name in ("batchSize", "networkShape", "dataset", "learningRate"))
    assert (p.page.input_value("#batchSize"), p.link["networkShape"]) == ("10", "4,16")
    p.page.get_by_role("button", name="Close this message").first.click()
    expect(messages).to_have_count(3)
    p.step()


def test_test_points_and_two_colours_change_the_map(play):
    p = play()
    p.step()
    points, output, network = (p.pixels(part) for part in ("#heatmap .points", "#heatmap .map", ".lines"))
    p.page.check("#show-test-data")
    p.until(lambda: p.pixels("#heatmap .points") != points)
    assert p.pixels("#heatmap .map") == output
    p.page.check("#discretize")
    p.until(lambda: p.pixels("#heatmap .map") != output and p.pixels(".lines") != network)
    colours = p.page.evaluate(
        """() => {
            const map = document.querySelector("#heatmap .map").getContext("2d");
            const { data } = map.getImageData(0, 0, 100, 100);
            return new Set(Array.from({ length: 10000 }, (_, i) => data.slice(4 * i, 4 * i + 3).join())).size;
        }"""
    )
    assert (colours, p.epoch) == (2, 1)  # and no epoch more
    p.page.uncheck("#discretize")
    p.until(lambda: p.pixels("#heatmap .map") == output)


def test_a_node_under_the_hand_or_in_focus_is_shown_large(play):
    p = play()
    title, output = p.page.locator("#map-title"), p.pixels("#heatmap .map")
    for node, called in [("#node-1-2", "Layer 1, neuron 3"), ("#node-sinX", "The feature sin(X₁)")]:
        p.page.hover(node)
        expect(title).to_have_text(called)
        assert p.pixels("#heatmap .map") != output
        p.page.hover("h1")
        expect(title).to_have_text("The network’s output")
        p.until(lambda: p.pixels("#heatmap .map") == output)
    p.page.focus("#node-2-1")
    expect(title).to_have_text("Layer 2, neuron 2")
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 3)
    expect(title).to_have_text("The network’s output")
