"""`check` tells a reader what is wrong, with the hint that belongs there, and when all is right."""

import numpy as np
import pytest

from tinyspeech.pages.exercises import check

EXAMPLES = [((1,), 1.0), ((3,), 9.0), (([1, 2],), [1, 4])]


def stub(x):
    ...


def none(x):
    return ...


def fails(x):
    return 1 / (x - 3)


def squared(x):
    return np.square(x)


def almost(x):
    return squared(x) * (1 + 1e-4)


def text(x):
    return "one"


def too_many(x):
    return [1.0, 1.0]


@pytest.mark.parametrize(("attempt", "said"), [
    (stub, "stub(1) gives nothing yet.\nHint: a"),
    (none, "none(1) gives nothing yet.\nHint: a"),
    (fails, "fails(1) gives -0.5; 1.0 is right.\nHint: a"),
    (lambda x: x, "<lambda>(3) gives 3; 9.0 is right.\nHint: b"),
    (lambda x: x**2, "<lambda>([1, 2]) fails: TypeError: unsupported operand type(s) for ** or pow(): 'list' and "
                     "'int'.\nHint: b"),
    (text, "text(1) gives 'one'; 1.0 is right.\nHint: a"),
    (too_many, "too_many(1) gives [1.0, 1.0]; 1.0 is right.\nHint: a"),
    (squared, "squared: right, on all 3 examples."),
    (almost, "almost: right, on all 3 examples."),
])
def test_check(attempt, said, capsys):
    assert check(attempt, EXAMPLES, ["a", "b"]) is None
    assert capsys.readouterr().out == said + "\n"


def test_numbers_may_differ_by_a_share_alone(capsys):
    check(almost, EXAMPLES, ["a"], rel=1e-6)
    assert "gives 1.0001; 1.0 is right" in capsys.readouterr().out


def test_long_values_are_cut(capsys):
    check(stub, [((list(range(100)),), 0)], ["a"])
    assert len(capsys.readouterr().out.splitlines()[0]) < 100
