"""Tests for `jaxnn/verify/project.py`: nothing is missing from the list, and names narrow it down.

That every gradient passes is for `jaxnn verify` itself, which takes minutes; a few quick ones are checked here.
"""

import ast
import importlib
import inspect
import pkgutil

import pytest

from jaxnn import losses, networks, ops
from jaxnn.errors import InvalidArgument
from jaxnn.networks import blocks
from jaxnn.r_neuralnet import network
from jaxnn.verify import project

LISTED = {check.what for check in project.checks()}


def by_hand(module):
    """Return the public functions of a network's module that give a gradient, read from its source."""
    tree = ast.parse(inspect.getsource(module))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {name for name in names if name.endswith(("_and_grad", "_bwd")) or name == "backward"}


def test_every_rule_is_in_the_list():
    rules = {name.removesuffix("_bwd") for module in (ops, losses) for name in dir(module) if name.endswith("_bwd")}
    assert rules and rules <= LISTED


@pytest.mark.parametrize(
    "module", [networks.linear, networks.hidden_layer, networks.mlp, networks.cnn, blocks], ids=lambda m: m.__name__
)
def test_every_gradient_of_a_network_is_in_the_list(module):
    title = module.__name__.split(".")[-1]
    expected = by_hand(module) - {"metrics_and_grad"}  # what value_and_grad returns a part of
    assert expected and {f"{title}.{name}" for name in expected} <= LISTED


def test_no_network_is_forgotten():
    names = [module.name for module in pkgutil.iter_modules(networks.__path__)]
    modules = {name for name in names if by_hand(importlib.import_module(f"jaxnn.networks.{name}"))}
    assert modules == {"linear", "hidden_layer", "mlp", "cnn", "blocks"}


def test_everything_listed_exists():
    for what in LISTED:
        module, _, name = what.rpartition(".")
        if module:
            assert hasattr(network if module == "r_neuralnet" else getattr(networks, module), name)
        else:
            assert hasattr(ops, f"{what}_bwd") or hasattr(losses, f"{what}_bwd")


def test_the_words_tell_the_checks_of_a_gradient_apart():
    pairs = [(check.what, check.at) for check in project.checks()]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dense"], {"dense"}),
        (["mlp", "relu"], {"mlp.value_and_grad", "mlp.backward", "relu"}),
        (["mlp.backward"], {"mlp.backward"}),
        (None, LISTED),
    ],
)
def test_names_narrow_the_list(names, expected):
    assert {check.what for check in project.chosen(names)} == expected


def test_an_unknown_name_lists_near_ones():
    with pytest.raises(InvalidArgument, match=r"--only: got soft_plus, expected any of .*; did you mean softplus\?"):
        project.chosen(["dense", "soft_plus"])


QUICK = {("relu", "zeros and whole numbers"): "KINK", ("dense", "5 x 1 to 5 x 1"): "PASS"}
QUICK |= {("linear.value_and_grad", "3, 2; 5 examples, in float32"): "PASS"}


@pytest.mark.parametrize(("what", "at"), QUICK)
def test_a_check_gives_its_verdict(what, at):
    (found,) = [check for check in project.chosen([what]) if check.at == at]
    assert found.verdict().kind == QUICK[what, at]
