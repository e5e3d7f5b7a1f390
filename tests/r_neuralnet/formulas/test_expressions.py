"""R's expressions of columns and what `model.matrix` makes of them; the numbers are R 4.2.2's."""

import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.formulas.columns import columns_of
from jaxnn.r_neuralnet.formulas.design import design_of
from jaxnn.r_neuralnet.formulas.expressions import value_of
from jaxnn.r_neuralnet.formulas.formula import parse

DATA = {
    "x": [1.0, 2, 4, 7, 11, 16],
    "z": [0.5, -1, 2, 3, -2, 1],
    "g": ["a", "b", "c", "a", "b", "c"],
    "h": ["u", "v", "v", "u", "v", "u"],
    "ok": [True, False, True, True, False, False],
    "n": ["1", "2.5", "3", "4", "5", "6"],
    "a b": [1, 2, 3, 4, 5, 6],
}
COLUMNS = columns_of("data", DATA)

# Each right side with the names and the columns of model.matrix, without its intercept.
MATRICES = {
    "poly(x, 2)": {
        "poly(x, 2)1": [-0.45162230233094541, -0.37420133621706930, -0.21935940398931641, 0.01290349435231270]
        + [0.32258735880781814, 0.70969218937720013],
        "poly(x, 2)2": [0.44249767886871011, 0.18964186237230413, -0.20544535090332955, -0.52151512152383650]
        + [-0.42669419033768435, 0.52151512152383650],
    },
    "scale(x) + scale(x, scale = FALSE) + scale(x, center = FALSE)": {
        "scale(x)": [-1.009858168166955839, -0.836739625052620561, -0.490502538823949952, 0.028853090519055932]
        + [0.721327262976397154, 1.586919978548073651],
        "scale(x, scale = FALSE)": [v - 41 / 6 for v in DATA["x"]],
        "scale(x, center = FALSE)": [0.105762386161725397, 0.211524772323450794, 0.423049544646901587]
        + [0.740336703132077778, 1.163386247778979365, 1.692198178587606350],
    },
    "g:z": {"ga:z": [0.5, 0, 0, 3, 0, 0], "gb:z": [0, -1, 0, 0, -2, 0], "gc:z": [0, 0, 2, 0, 0, 1]},
    "z + g:z": {"z": DATA["z"], "z:gb": [0, -1, 0, 0, -2, 0], "z:gc": [0, 0, 2, 0, 0, 1]},
    "g*h": {
        "gb": [0, 1, 0, 0, 1, 0],
        "gc": [0, 0, 1, 0, 0, 1],
        "hv": [0, 1, 1, 0, 1, 0],
        "gb:hv": [0, 1, 0, 0, 1, 0],
        "gc:hv": [0, 0, 1, 0, 0, 0],
    },
    "g:h + g": {
        "gb": [0, 1, 0, 0, 1, 0],
        "gc": [0, 0, 1, 0, 0, 1],
        "ga:hv": [0] * 6,
        "gb:hv": [0, 1, 0, 0, 1, 0],
        "gc:hv": [0, 0, 1, 0, 0, 0],
    },
    "poly(x, 2):z": {
        "poly(x, 2)1:z": [-0.225811151165472707, 0.374201336217069302, -0.438718807978632830, 0.038710483056938097]
        + [-0.645174717615636273, 0.709692189377200133],
        "poly(x, 2)2:z": [0.221248839434355055, -0.189641862372304126, -0.410890701806659098, -1.564545364571509500]
        + [0.853388380675368707, 0.521515121523836500],
    },
    "poly(x, 2, raw = TRUE)": {
        "poly(x, 2, raw = TRUE)1": DATA["x"],
        "poly(x, 2, raw = TRUE)2": [1, 4, 16, 49, 121, 256],
    },
    "log(x) + I(x^2) + x:z": {
        "log(x)": np.log(DATA["x"]),
        "I(x^2)": [1, 4, 16, 49, 121, 256],
        "x:z": [0.5, -2, 8, 21, -22, 16],
    },
    "z:x:g": {
        "z:x:ga": [0.5, 0, 0, 21, 0, 0],
        "z:x:gb": [0, -2, 0, 0, -22, 0],
        "z:x:gc": [0, 0, 8, 0, 0, 16],
    },
}


@pytest.mark.parametrize("right", MATRICES)
def test_the_covariates_are_those_of_rs_model_matrix(right):
    plan = design_of(parse(f"ok ~ {right}"), COLUMNS)
    assert plan.variables == list(MATRICES[right])
    expected = np.stack([*MATRICES[right].values()], axis=1)
    np.testing.assert_allclose(plan.covariate_matrix(COLUMNS), expected, rtol=1e-13, atol=1e-13)


def test_new_data_has_the_centre_the_scale_and_the_polynomials_of_the_fit():
    plan = design_of(parse("ok ~ poly(x, 3) + scale(x) + scale(log(x), 1, 2)"), COLUMNS)
    found = plan.x({"x": [3, 8]})
    of_poly = [[-0.296780370103192803, -0.026339147551708884, 0.3907698618410929692]]
    of_poly += [[0.090324460466189041, -0.553122098585887234, 0.0014073344364022604]]
    np.testing.assert_allclose(found[:, :3], of_poly, rtol=1e-12)
    mean, sd = np.mean(DATA["x"]), np.std(DATA["x"], ddof=1)
    np.testing.assert_allclose(found[:, 3], (np.array([3, 8]) - mean) / sd, rtol=1e-13)
    np.testing.assert_allclose(found[:, 4], (np.log([3, 8]) - 1) / 2, rtol=1e-13)
    np.testing.assert_array_equal(found, plan.x([[3], [8]]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x^2", [-1, -4, -16, -49, -121, -256]),
        ("2^-1 * x", [0.5, 1, 2, 3.5, 5.5, 8]),
        ("2^3^0 - x", [1, 0, -2, -5, -9, -14]),
        ("x - 1 - 1", [-1, 0, 2, 5, 9, 14]),
        ("!x > 3 & z < 1", [1, 1, 0, 0, 0, 0]),
        ("!ok", [0, 1, 0, 0, 1, 1]),
        ("2 * x %in% c(1, 4)", [2, 0, 2, 0, 0, 0]),
        ('g %in% c("a", "c")', [1, 0, 1, 1, 0, 1]),
        ("log(x, 10)", [0, 0.30102999566398120, 0.60205999132796240, 0.84509804001425681]
         + [1.04139268515822492, 1.20411998265592479]),
        ("log(x, base = 2)", np.log2(DATA["x"])),
        ("ifelse(x > 3, z, -x)", [-1, -2, 2, 3, -2, 1]),
        ("as.numeric(n)", [1, 2.5, 3, 4, 5, 6]),
        ('as.numeric(g == "a") + ok', [2, 0, 1, 2, 0, 0]),
        ("`a b`/2", [0.5, 1, 1.5, 2, 2.5, 3]),
        ("pmin(x, 5) + sqrt(x * x)", [2, 4, 8, 12, 16, 21]),
        ("x > 3 | z == -1", [0, 1, 1, 1, 1, 1]),
        ("round(x / 3, 1)", [0.3, 0.7, 1.3, 2.3, 3.7, 5.3]),
    ],
)  # fmt: skip
def test_values_are_rs(text, expected):
    np.testing.assert_allclose(value_of(text, COLUMNS)[0].values, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("foo(x) ~ z", "formula: got the function 'foo', expected one of the functions exp"),
        ("log(g) ~ z", "formula: got g, which holds texts, expected numbers"),
        ("as.numeric(g) ~ z", "formula: got as.numeric of g"),
        ("log(z) ~ x", "log(z): got nan in rows 1, 4 (from 0), expected a finite number"),
        ("x ~ sqrt(z)", "sqrt(z): got nan in rows 1, 4"),
        ("g == 3 ~ x", "formula: got g == 3, expected a text, as g has them"),
        ("x ~ poly(z, 6)", "formula: got poly(z, 6), expected a degree from 1"),
        ("poly(x, 2) ~ z", "formula: got poly(x, 2) as a response"),
        ("x ~ scale(z, centre = 1)", "with centre, expected arguments that are known here"),
        ("x ~ scale(I(0 * z))", "of a constant column"),
        ("log(xx) ~ z", "formula: got the column xx, which the data lacks; did you mean x?"),
    ],
)
def test_what_cannot_be_calculated_is_named(formula, message):
    with pytest.raises(InvalidArgument) as error:
        design_of(parse(formula), COLUMNS)
    assert message in str(error.value)


def test_the_dot_leaves_out_what_the_response_is_made_of():
    assert design_of(parse("log(x) ~ . - n - g - h"), COLUMNS).variables == ["z", "ok", "a b"]


def test_as_numeric_of_a_factor_is_the_place_of_its_level(categorical):
    columns = columns_of("data", {"s": categorical(["lo", "hi", "mid"], ["lo", "mid", "hi"])})
    assert value_of("as.numeric(s)", columns)[0].values.tolist() == [1, 3, 2]
    assert value_of("as.character(s)", columns)[0].levels is None
