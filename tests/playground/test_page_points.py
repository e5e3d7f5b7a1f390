"""The playground's page in a browser: points that a hand draws, and the gradient at one that it chooses."""

import pytest

from tests.playground.browser import PATIENCE

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow


def drag(p, start, end):
    """Press at one place of the map, move to another and let go; places are shares of its sides."""
    box = p.page.locator("#heatmap .points").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    p.page.mouse.move(*places[0])
    p.page.mouse.down()
    p.page.mouse.move(*places[1], steps=20)
    p.page.mouse.up()
    p.settle()


def rows(p):
    return [[float(value) for value in row.split(",")] for row in p.link.get("points", "").split(";") if row]


def test_points_are_drawn_on_the_map_and_all_are_seen_and_trained_on(play):
    p = play()
    p.click("#clear-points")
    p.linked(dataset="own")
    expect(p.page.locator("#messages")).to_contain_text("choose a colour above the map and draw")
    for button in ("#play-pause-button", "#next-step-button"):
        p.click(button)
        expect(p.page.locator("#messages .bad")).to_contain_text("no training points")
        p.click("#messages .bad button")
    assert not p.playing
    size = p.page.locator("#heatmap .points").bounding_box()["width"]
    for label, spots in [("1", [(0.25, 0.25), (0.3, 0.2)]), ("-1", [(0.75, 0.75), (0.8, 0.7)])]:
        p.page.check(f"[name=draw][value='{label}']", force=True)
        for x, y in spots:
            p.page.click("#heatmap .points", position={"x": x * size, "y": y * size})
    p.until(lambda: len(rows(p)) == 4)
    expect(p.page.locator("#messages")).to_have_text("")
    points = rows(p)
    assert [label for _, _, label in points] == [1, 1, -1, -1]
    assert points[0][:2] == pytest.approx([-3, 3], abs=0.1) and points[2][:2] == pytest.approx([3, -3], abs=0.1)
    assert p.page.get_attribute("#weight-point", "max") == "4"
    p.step(2)
    p.page.check("[name=draw][value='0']", force=True)
    p.page.click("#heatmap .points", position={"x": 9, "y": 9})
    p.rest()
    assert len(rows(p)) == 4


def test_dragging_draws_a_stroke_while_the_training_goes_on(play):
    p = play("seed=0.1&dataset=own&points=1,1,1;-1,-1,-1;2,2,1;-2,-2,-1")
    p.click("#play-pause-button")
    p.until(lambda: p.epoch > 2)
    p.page.check("[name=draw][value='-1']", force=True)
    drag(p, (0.1, 0.5), (0.6, 0.5))
    assert p.playing and p.epoch > 2
    drawn = rows(p)[4:]
    assert len(drawn) > 10 and {label for *_, label in drawn} == {-1}
    assert all(0.3 < b[0] - a[0] < 1 and abs(a[1]) < 0.1 for a, b in zip(drawn, drawn[1:], strict=False))
    assert p.link["drawn"] == str(len(drawn))
    epoch = p.epoch
    p.click("#shuffle-points")
    p.until(lambda: "drawn" not in p.link)
    assert p.playing and p.epoch >= epoch
    p.click("#play-pause-button")
    p.page.go_back()
    p.until(lambda: p.link.get("drawn") == str(len(drawn)))
    p.page.go_back()  # the whole stroke is one step
    p.until(lambda: len(rows(p)) == 4)


def test_the_gradient_of_a_weight_by_hand_is_autodiffs(play):
    p = play()
    p.step()
    p.page.mouse.click(*p.line("0,3,1"))
    tables = p.page.locator("#chain table")
    expect(tables).to_have_count(4)
    assert tables.locator("caption").all_text_contents() == [
        *("Values, forward", "Local derivatives", "Adjoints, backward", "Mean over the training points"),
    ]
    assert (p.page.input_value("#weight-to"), p.page.input_value("#weight-from")) == ("0,3", "1")
    rows = [
        row.locator("td").all_text_contents() for row in p.page.locator("#chain table:nth-of-type(n+3) tbody tr").all()
    ]
    assert [row[0] for row in rows[-4:]] == ["∂J/∂a1.4", "∂J/∂z1.4", "∂J/∂w1.4.2", "∂J/∂w1.4.2"]
    for _, _, by_hand, by_autodiff in rows:
        assert float(by_hand) == pytest.approx(float(by_autodiff), rel=1e-3, abs=1e-6)
        assert float(by_hand) != 0
    values, mean = p.text("#chain table"), p.text("#chain table:last-of-type")
    p.page.fill("#weight-point", "7")
    p.page.keyboard.press("Enter")
    expect(tables.first).not_to_have_text(values)
    assert p.text("#chain table:last-of-type") == mean


def test_a_weight_is_chosen_and_edited_without_a_mouse(play):
    p = play()
    loss = p.loss
    expect(p.page.locator("#weight-from")).to_be_disabled()
    p.page.select_option("#weight-to", label="the output")
    p.page.select_option("#weight-from", label="neuron 2.2")
    expect(p.page.locator("#chain caption").last).to_be_visible()
    expect(p.page.locator("#chain")).to_contain_text("∂J/∂w3.1.2")
    p.page.fill("#weight-value", "3")
    p.page.keyboard.press("Enter")
    p.until(lambda: p.loss != loss)
    p.click("#weight-close")
    expect(p.page.locator("#chain")).to_be_hidden()


def test_a_point_is_chosen_on_the_map(play):
    p = play("seed=0.1&dataset=own&percTrainData=100&points=-4,4,1;4,4,-1;4,-4,1")
    bare = p.pixels("#heatmap .points")
    p.page.select_option("#weight-to", "0,0")
    p.until(lambda: p.pixels("#heatmap .points") != bare)  # the point is marked
    size = p.page.locator("#heatmap .points").bounding_box()["width"]
    read = "(rows) => Object.fromEntries(rows.map(({ cells }) => [cells[0].textContent, cells[2].textContent]))"
    for x, y, point in [(0.83, 0.17, [4, 4, -1]), (0.83, 0.83, [4, -4, 1]), (0.17, 0.17, [-4, 4, 1])]:
        p.page.click("#heatmap .points", position={"x": x * size, "y": y * size})
        p.settle()
        said = p.page.locator("#chain table").first.locator("tbody tr").evaluate_all(read)
        assert [float(said[name]) for name in ("x1", "x2", "y")] == point
