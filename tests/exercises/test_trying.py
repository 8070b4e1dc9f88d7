"""`check` tells a reader what is wrong, with the hint that belongs there, and when all is right."""

import numpy as np
import pytest
import torch

from tinyspeech.exercises.trying import Exercise, judged

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
def test_an_attempt_is_judged(attempt, said):
    assert judged(attempt, Exercise(EXAMPLES, ["a", "b"])) == said


def test_numbers_may_differ_by_a_share_alone():
    assert "gives 1.0001; 1.0 is right" in judged(almost, Exercise(EXAMPLES, ["a"], rel=1e-6))


def test_long_values_are_cut():
    said = judged(stub, Exercise([((list(range(100)),), 0)], ["a"]))
    assert len(said.splitlines()[0]) < 100


def test_a_known_mistake_is_told_by_its_name():
    exercise = Exercise(EXAMPLES, ["a", "b"], {"that is the cube": lambda x: np.power(x, 3)})
    assert judged(lambda x: np.asarray(x) ** 3, exercise).endswith("Hint: that is the cube")
    assert judged(lambda x: np.asarray(x) ** 4, exercise).endswith("Hint: b")


def test_what_an_attempt_does_to_its_arguments_spoils_none():
    def emptied(x):
        given, x[:] = sum(x), [0, 0, 0]
        return given

    for x in (np.arange(3.0), [0.0, 1.0, 2.0]):
        assert "right" in judged(emptied, Exercise([((x,), 3.0), ((x,), 3.0)], ["a"]))
        assert list(x) == [0, 1, 2]


def test_lists_of_unlike_lengths_are_wrong_and_no_error():
    assert "gives [[1], [1, 2]]" in judged(lambda x: [[1], [1, 2]], Exercise([((1,), [1, 2])], ["a"]))


def test_tensors_are_shown_as_numbers_and_an_attempt_cannot_spoil_them():
    doubled = Exercise([((torch.tensor([1.0, 2.0]),), torch.tensor([2.0, 4.0]))], ["Times two."])

    def double(x):
        x += 1
        return x

    for _ in range(2):
        assert judged(double, doubled).startswith("double([1.0, 2.0]) gives [2.0, 3.0]; [2.0, 4.0] is right.")
