"""The playground's points: the sets by their definitions in `jaxnn.data` (tested against the originals there), own
tables by what their lines say.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data import synthetic
from jaxnn.data.playground_sets import CLASSIFICATION, LECTURE, REGRESSION, shuffled
from jaxnn.data.rrandom import RRandom
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import InvalidArgument
from jaxnn.playground.config import default
from jaxnn.playground.points import from_table, r_seed, split, thumbnails

LECTURES = {
    "lecture-sigmoid": synthetic.sigmoid_boundary,
    "lecture-circle": synthetic.circle,
    "lecture-flower": synthetic.flower,
}


def setup(**change):
    return default() | {"seed": "0.12345"} | change


def ordered(rows):
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("problem, count", [("classification", 500), ("regression", 1200)])
@pytest.mark.parametrize("percent", [10, 50, 33.3, 99.9, 100])
def test_sizes_are_the_originals_split_at_the_floor(problem, count, percent):
    train, test, _ = split(setup(problem=problem, percTrainData=percent))
    assert (len(train), len(test)) == (int(count * percent // 100), count - int(count * percent // 100))


@pytest.mark.parametrize("name", [*CLASSIFICATION, *REGRESSION])
def test_the_originals_sets_come_shuffled_from_the_seeds_stream(name):
    regression = name in REGRESSION
    kind = {"problem": "regression", "regDataset": name} if regression else {"dataset": name}
    train, test, stream = split(setup(noise=20, percTrainData=70, **kind))
    other = SeedRandom("0.12345")
    draw, count = (REGRESSION[name], 1200) if regression else (CLASSIFICATION[name], 500)
    points = shuffled(other, draw(other, count, 0.2))
    np.testing.assert_array_equal(np.concatenate([train, test]), np.column_stack([points.x, points.y]))
    assert stream() == other()  # the start weights come next


@pytest.mark.parametrize("name", LECTURES)
@pytest.mark.parametrize("seed, number", [("20240402", 20240402), ("0.00042", 42), ("ab", ord("a") + ord("b"))])
def test_the_lectures_sets_are_those_of_rs_seed(name, seed, number):
    assert LECTURE == LECTURES and r_seed(seed) == number
    train, test, _ = split(setup(dataset=name, seed=seed))
    x, y = LECTURES[name](RRandom(number), 1000)
    assert len(train) == len(test) == 500
    expected = np.column_stack([x, 1 - 2 * y])
    np.testing.assert_array_equal(ordered(np.concatenate([train, test])), ordered(expected))


OWN = [[1.0, 2.0, 0.5], [-1.0, 0.0, -0.25], [3.0, -3.0, 0.0], [0.0, 1.0, -1.0]]


def test_own_points_have_the_sign_of_their_label_as_class_and_the_label_itself_for_regression():
    train, test, _ = split(setup(dataset="own", points=OWN))
    rows = np.array(OWN)
    signs = np.column_stack([rows[:, :2], [1.0, -1.0, 1.0, -1.0]])
    np.testing.assert_array_equal(ordered(np.concatenate([train, test])), ordered(signs))
    train, test, _ = split(setup(problem="regression", regDataset="own", points=OWN))
    np.testing.assert_array_equal(ordered(np.concatenate([train, test])), ordered(rows))


def test_points_drawn_since_the_last_split_are_all_trained_on_in_their_order():
    alone, test, stream = split(setup(dataset="own", points=OWN[:2]))
    train, same, other = split(setup(dataset="own", points=OWN, drawn=2))
    signs = [[3.0, -3.0, 1.0], [0.0, 1.0, -1.0]]
    np.testing.assert_array_equal(train, [*alone.tolist(), *signs])
    np.testing.assert_array_equal(test, same)
    assert stream() == other()  # so that a reset goes back to the same start weights
    assert [len(part) for part in split(setup(dataset="own", points=OWN[:3], drawn=9))[:2]] == [3, 0]
    assert [len(part) for part in split(setup(drawn=9))[:2]] == [250, 250]  # of another set


@pytest.mark.parametrize("points, sizes", [([], (0, 0)), (OWN[:1], (0, 1)), (OWN[:3], (1, 2))])
def test_of_few_own_points_the_smaller_half_is_trained_on(points, sizes):
    train, test, _ = split(setup(dataset="own", points=points))
    assert (train.shape, test.shape) == ((sizes[0], 3), (sizes[1], 3))


def test_thumbnails_are_200_points_of_every_set_without_noise():
    drawn = thumbnails()
    assert set(drawn) == {*CLASSIFICATION, *REGRESSION, *LECTURES}
    assert {np.shape(rows) for rows in drawn.values()} == {(200, 3)}
    circle = np.array(drawn["circle"])
    np.testing.assert_array_equal(circle[:, 2], np.where(np.hypot(circle[:, 0], circle[:, 1]) < 3, 1, -1))
    sigmoid = synthetic.sigmoid_boundary(RRandom(20240402))
    rows = np.column_stack([sigmoid.x, 1 - 2 * sigmoid.y])[::5]
    np.testing.assert_allclose(drawn["lecture-sigmoid"], rows, atol=0.00501)


POINTS = [[1.0, 2.0, 1.0], [-3.0, 0.5, -1.0]]


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "   ", ", ", " ; "])
def test_separators_headers_and_line_ends(separator):
    quoted = "X1 X2 y" if set(separator) == {" "} else '"X 1"{0}"X2"{0}y'  # between spaces a name has none
    headers = [[], [f"x1{separator}x2{separator}label"], [quoted.format(separator)]]
    for header, end in itertools.product(headers, ["\n", "\r\n", "\n\n  \n"]):
        text = end.join([*header, f"1{separator}2{separator}1", f"-3{separator}.5{separator}-1"])
        assert from_table(text, "classification") == (POINTS, []), text


def test_what_an_office_program_puts_before_and_around_is_no_part_of_it():
    assert from_table('\ufeff"1.0","2","1"\r\n"-3","5e-1","-1"\r\n', "classification") == (POINTS, [])


@pytest.mark.parametrize(
    "labels, expected, notes",
    [
        (["-1", "1"], [-1, 1], []),
        (["1", "-1.0"], [1, -1], []),
        (["0", "1"], [-1, 1], ["label 0.0 is -1, 1.0 is 1"]),
        (["10", "9"], [1, -1], ["label 9.0 is -1, 10.0 is 1"]),  # as numbers, not as texts
        (["setosa", "virginica"], [-1, 1], ["label setosa is -1, virginica is 1"]),
        (["yes", "no"], [1, -1], ["label no is -1, yes is 1"]),
        (["a", "3"], [1, -1], ["label 3.0 is -1, a is 1"]),
    ],
)
def test_of_two_labels_the_smaller_is_minus_1(labels, expected, notes):
    text = "\n".join(f"{i},0,{label}" for i, label in enumerate(labels))
    assert from_table(text, "classification") == ([[i, 0, label] for i, label in enumerate(expected)], notes)


@pytest.mark.parametrize("label, sign", [("1", 1), ("7", 1), ("0", -1), ("-2", -1), ("yes", 1)])
def test_of_one_class_only_the_sign_says_which(label, sign):
    assert from_table(f"1,1,{label}\n2,2,{label}", "classification") == ([[1, 1, sign], [2, 2, sign]], [])


def test_a_regression_label_is_a_number_divided_by_the_largest_beyond_1():
    assert from_table("1,1,0.5\n2,2,-1", "regression") == ([[1, 1, 0.5], [2, 2, -1]], [])
    assert from_table("1,1,2\n2,2,-8", "regression") == ([[1, 1, 0.25], [2, 2, -1]], ["label divided by 8"])


def test_an_axis_beyond_the_plane_is_scaled_and_the_other_is_not():
    rows, notes = from_table("100,6,1\n300,-6,-1\n150,0,1", "classification")
    assert rows == [[-5, 6, 1], [5, -6, -1], [-2.5, 0, 1]]
    assert notes == ["X1 = 5 (x1 - 200) / 100"]


def test_an_axis_of_one_far_value_comes_to_its_middle():
    rows, notes = from_table("0,70,1\n1,70,-1", "classification")
    assert rows == [[0, 0, 1], [1, 0, -1]] and notes == ["X2 = 5 (x2 - 70) / 1"]


@pytest.mark.parametrize(
    "low, high", [("-1.7e308", "1.7e308"), ("1e16", "10000000000000002"), ("-1.7e308", "0"), ("5e-324", "1e308")]
)
def test_the_ends_of_the_widest_and_the_narrowest_axis_come_to_the_ends_of_the_plane(low, high):
    rows, _ = from_table(f"{low},0,1\n{high},0,-1", "classification")
    assert -5 <= rows[0][0] < rows[1][0] == 5


@pytest.mark.parametrize(
    "text, problem, message",
    [
        ("", "classification", "table: got no line, expected x1, x2, label on each line"),
        (" \n\n", "classification", "table: got no line"),
        ("x1,x2,label", "classification", "table: got 0 points, expected 1 to 2000 lines"),
        ("0,0,1\n" * 2001, "classification", "table: got 2001 points"),
        ("x,y,l\n1,2", "classification", "line 2: got 2 values, expected three: x1, x2, label"),
        ("1,2,1\n\n1,2,1,1", "classification", "line 3: got 4 values"),
        ("1,2,1\n1,two,1", "classification", "line 2: got 'two', expected a finite number"),
        ("1,2,1\nnan,2,1", "classification", "line 2: got 'nan', expected a finite number"),
        ("1,2,1\n1,inf,1", "classification", "line 2: got 'inf'"),
        ("1,2,1\n1,2,a", "regression", "line 2: got 'a', expected a finite number"),
        ("1,2,a\n1,2,b\n1,2,c", "classification", "label: got 3 different ones, expected two"),
        ('1,2,"' + "x" * 200_000, "classification", "table: field larger than field limit"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_line(text, problem, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        from_table(text, problem)


FIELD = st.floats().map(str) | st.integers(-9, 9).map(str) | st.sampled_from(["a", "b", "", '"', "1_0", "\x00", "\x1c"])
LINES = st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60)
    | st.builds(lambda mark, lines: "\n".join(map(mark.join, lines)), st.sampled_from(",;\t "), LINES),
    st.sampled_from(["classification", "regression"]),
)
def test_any_text_gives_points_within_the_plane_or_says_what_is_wrong(text, problem):
    try:
        rows, notes = from_table(text, problem)
    except InvalidArgument as error:
        assert str(error).split(":")[0].split(" ")[0] in ("table", "line", "label")
        return
    x1, x2, labels = np.array(rows).T
    assert np.all(np.abs(x1) <= 6) and np.all(np.abs(x2) <= 6) and np.all(np.abs(labels) <= 1)
    assert problem == "regression" or set(labels) <= {-1.0, 1.0}
    assert all(isinstance(note, str) for note in notes)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2, st.sampled_from(["a", "b"])),
        min_size=1,
        max_size=9,
    )
)
def test_every_table_of_finite_numbers_becomes_points_in_their_order(lines):
    rows, _ = from_table("\n".join(f"{x1!r};{x2!r};{label}" for x1, x2, label in lines), "classification")
    for axis in (0, 1):
        given, seen = [line[axis] for line in lines], [row[axis] for row in rows]
        assert all(-6 <= value <= 6 for value in seen)
        assert all(seen[i] <= seen[j] for i in range(len(given)) for j in range(len(given)) if given[i] <= given[j])
