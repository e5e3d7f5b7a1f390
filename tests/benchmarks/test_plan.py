"""The paper plan against figures counted by hand, and laws that any plan has to obey."""

from pathlib import Path

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import plan
from benchmarks.__main__ import main
from jaxnn.networks import cnn, hidden_layer, mlp

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("name", "init"), [("mlp", mlp.init), ("cnn", cnn.init), ("hidden", lambda key: hidden_layer.init(key, 2, 4, 1))]
)
def test_the_parameters_are_the_networks(name, init):
    assert plan.LOOPS[name].parameters == sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(init, KEY)))


def test_the_flops_of_an_update_are_those_counted_by_hand():
    # 784 x 512 twice, 512 x 10 three times, two flops each: 209 million; the CNN's 3.77e9 were counted elsewhere.
    assert plan.LOOPS["mlp"].work[128].flops == 128 * 2 * (2 * 784 * 512 + 3 * 512 * 10)
    assert plan.LOOPS["cnn"].work[128].flops == pytest.approx(3.77e9, rel=0.01)


def test_a_ring_sends_twice_all_but_its_own_share():
    assert plan.all_reduce_bytes(100, 1) == 0
    assert plan.all_reduce_bytes(100, 4) == 2 * 3 * 100  # 2 (n - 1) messages of a quarter of 400 bytes
    assert plan.all_reduce_bytes(407_050, 8) == pytest.approx(2 * 7 / 8 * 1_628_200)


@given(
    st.sampled_from(list(plan.LOOPS.values())),
    st.sampled_from(plan.BATCHES),
    st.sampled_from((1, 2, 4, 8, 16)),
    st.sampled_from(plan.CHIPS),
)
def test_more_devices_compute_and_move_less_each_and_send_more(loop, batch, devices, chip):
    one, other = plan.step(loop, batch, devices, chip), plan.step(loop, batch, 2 * devices, chip)
    assert other.compute == pytest.approx(one.compute / 2)
    assert one.memory / 2 <= other.memory * (1 + 1e-9) and other.memory < one.memory
    assert other.all_reduce > one.all_reduce and other.launches == one.launches
    assert one.total >= max(one[:3]) and getattr(one, one.limit) == max(one)


@given(st.sampled_from(list(plan.LOOPS.values())), st.sampled_from(plan.CHIPS))
def test_a_larger_batch_scales_no_worse(loop, chip):
    reached = [plan.stops(loop, batch, chip) for batch in plan.BATCHES]
    assert reached == sorted(reached) and reached[0] >= 1


def test_the_log_has_what_the_command_prints(capsys):
    assert main(["plan"]) == 0
    printed = capsys.readouterr().out
    log = (Path(plan.__file__).parent / "LOG.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    assert len(lines) > 30
    assert [line for line in lines if line not in log] == []
