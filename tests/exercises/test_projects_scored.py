"""A score prints its figures, limits and points, and what is wrong in one line."""

from tinyspeech.errors import UserError
from tinyspeech.exercises.projects.scored import Figure, Refused, Score, scored

FLASH = Figure("flash", 900, "bytes", 4096, hint="constants count")
RIGHT = Figure("right", 71.25, "%", 60, least=True, digits=1)


def test_a_score_prints_itself():
    score = scored("Mine", lambda: ([FLASH, RIGHT, Figure("cycles", 1234567)], 87))
    assert str(score).splitlines() == [
        "Mine", "  flash   900 bytes  at most 4,096", "  right      71.2 %  at least 60.0", "  cycles  1,234,567",
        "  87 points"]
    assert score.passed and score["flash"] == 900 and repr(score) == str(score)


def test_a_broken_limit_takes_all_points():
    for figure, said in ((Figure("flash", 5000, "bytes", 4096, hint="smaller"), "flash: 5,000 bytes, at most 4,096"),
                         (Figure("right", 10, "%", 60, least=True, hint="smaller"), "right: 10 %, at least 60")):
        score = scored("Mine", lambda figure=figure: ([FLASH, figure], 87))
        assert (score.points, score.wrong, score.hint) == (0, f"{said} allowed", "smaller")
        assert score.figures == (FLASH, figure) and "BROKEN" in str(score)
        assert "BROKEN" not in str(score).splitlines()[1]
    assert scored("Mine", lambda: ([Figure("flash", 4096, "bytes", 4096)], 5)).points == 5


def test_what_is_wrong_is_one_line_with_a_hint():
    def refused():
        raise Refused("output 3\nis 12", "bit 3 counts -8")

    def complained():
        raise UserError("the image is too large")

    assert str(scored("Mine", refused)).splitlines() == ["Mine", "  Wrong: output 3", "  Hint: bit 3 counts -8",
                                                         "  0 points"]
    assert scored("Mine", complained).wrong == "the image is too large"
    assert not Score("Mine", wrong="x" * 300).passed
    assert len(scored("Mine", lambda: (_ for _ in ()).throw(Refused("x" * 300, ""))).wrong) == 200
