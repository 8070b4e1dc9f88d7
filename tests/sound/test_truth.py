"""What was truly said: tables of words and of utterances, and the time around them that does not count."""

import pytest

from tinyspeech.errors import UserError
from tinyspeech.sound import truth
from tinyspeech.sound.truth import Span


def table(folder, text):
    path = folder / "t.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_words_and_utterances(tmp_path):
    """A keyword counts as a whole word only; other listed words are none of ours."""
    words = table(tmp_path, "file\tstart\tend\tword\na/1.opus\t1\t2\tdown\n1.opus\t3\t4\thouse\n")
    assert truth.read([words]) == {"1.opus": [Span(1, 2, "down")]}
    texts = table(tmp_path, "file\tstart\tend\ttext\n1.wav\t0\t2\twe Go on\n1.wav\t2\t4\tupon a note\n")
    assert truth.read([texts]) == {"1.wav": [Span(0, 2, None)]}


@pytest.mark.parametrize("text", ["file\tstart\tend\n1\t0\t1\n", "file\tstart\tend\tword\n1\tx\t1\tno\n",
                                  "file\tstart\tend\tword\n1\t2\t1\tno\n", "file\tstart\tend\tword\n1\n"])
def test_a_broken_table_is_one_line(tmp_path, text):
    with pytest.raises(UserError, match=r"t\.tsv, line 2: needs the columns"):
        truth.read([table(tmp_path, text)])
    with pytest.raises(UserError, match="is a folder"):
        truth.read([tmp_path])


def test_what_a_report_counts_as():
    """Half a second around what was said is out, once where two overlap, and not beyond the recording."""
    spans = [Span(2, 3, "no"), Span(3.2, 4, "up"), Span(9.8, 10, None)]
    counted = truth.count([(1.4, "no"), (3.3, "no"), (4.4, "go"), (9.5, "on"), (6, "left")], spans, 10)
    assert counted["false"] == [(1.4, "no"), (6, "left")] and counted["true"] == [(3.3, "no")]
    assert counted["left_out"] == [(4.4, "go"), (9.5, "on")]
    assert counted["seconds"] == pytest.approx(10 - 3 - 0.7)
