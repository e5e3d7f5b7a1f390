"""The playground's page in a browser: what it remembers of a connection that was lost and of what is undone."""

import os
import signal

import pytest

from tests.playground.browser import PATIENCE, Play, serving

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect
expect.set_options(timeout=1000 * PATIENCE)
pytestmark = pytest.mark.slow


def test_a_server_that_dies_is_waited_for_and_the_network_goes_on_where_it_was(chromium, play):
    link = "seed=0.1&dataset=xor&optimizer=adam"
    alone = play(link).step(6)
    context = chromium.new_context()
    with serving() as served:
        p = Play(context.new_page(), served.address).open(link)
        p.step(4)
        p.page.wait_for_timeout(500)  # the page asks for the state of the optimizer once the hand rests
        os.kill(served.pid, signal.SIGKILL)
        lost = p.page.locator("#messages .lost")
        expect(lost).to_contain_text("The connection to the playground was lost")
        chart = p.pixels("#linechart")
    with serving(served.port):
        expect(lost).to_have_count(0)
        expect(p.page.locator("#messages")).to_contain_text("The connection is back. The network goes on at epoch 4.")
        assert (p.epoch, p.losses) == (4, alone[3]) and p.pixels("#linechart") == chart
        assert p.step(2) == alone[4:]
        p.click("#play-pause-button")
        p.until(lambda: p.epoch > 8)
    expect(lost).to_have_count(1)
    assert not p.playing
    with serving(served.port):  # what played goes on playing
        expect(lost).to_have_count(0)
        p.until(lambda: p.playing and p.epoch > 9)
    context.close()


def test_back_and_forward_undo_and_redo_with_the_networks_as_they_were(play):
    p = play("seed=0.1&networkShape=3")
    seen = p.step(3)
    p.click("[data-dataset=spiral]")
    p.linked(dataset="spiral")
    p.reached(0)
    other = p.step(2)
    p.click("#reset-button")
    p.reached(0)
    for go, epoch, losses, dataset in [
        (p.page.go_back, 2, other[-1], "spiral"),
        (p.page.go_back, 3, seen[-1], "circle"),
        (p.page.go_forward, 2, other[-1], "spiral"),
    ]:
        go()
        p.linked(dataset=dataset)
        p.reached(epoch)
        assert p.losses == losses
    p.page.fill("#noise", "10")
    p.page.fill("#noise", "20")
    p.linked(noise="20")
    p.page.go_back()  # what a slider went through is one step
    p.linked(noise="0")
    p.reached(2)


def test_new_start_weights_for_the_same_data_and_new_data_for_the_same_network(play):
    p = play()
    points, start = p.pixels("#heatmap .points"), p.losses
    p.click("#restart-button")
    p.until(lambda: "start" in p.link)
    assert p.pixels("#heatmap .points") == points and p.losses != start
    second = p.losses
    p.step(2)
    p.click("#reset-button")
    p.reached(0)
    assert p.losses == second
    p.step(2)
    p.click("#data-regen-button")
    p.until(lambda: p.pixels("#heatmap .points") != points)
    assert p.epoch == 2
