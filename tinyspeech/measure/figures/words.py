"""Figures of taught words, on words and people that no choice was made on (chapter "Your own words")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tinyspeech.integer import words as taught
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import few_shot, words
from tinyspeech.measure.store import Figure, figure
from tinyspeech.paths import SHIPPED, TEACHES_ITSELF, model_file
from tinyspeech.sound.logmel import load_logmel

DEVELOPED = "words and people of Arabic Speech Commands, and running speech, that the choices were made on"
ASIDE = ("words and people of Arabic Speech Commands, and running speech, that no choice was made on: takes in a row, "
         "pauses of 1 to 4 s")


def _tried(model: IntegerModel, takes: Path, noise: Path, negatives: Sequence[Path], aside: bool):
    """(people, trial of their owners, speech, `words.in_speech` of all words taught)."""
    people, speech = words.people(model, takes, noise, aside), words.other_speech(model, negatives, aside)
    trial, all_words = words.owners(people)
    return people, trial, speech, words.in_speech(all_words, speech)


def tried(takes: Path, noise: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """Other designs, on the words of development."""
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    people, speech = words.people(model, takes, noise, False), words.other_speech(model, negatives, False)
    yield figure("words.tried", words.tried(people, speech), "% of takes", data=DEVELOPED,
                 hours=round(speech.hours, 3), model_hash=model.digest)


def measured(takes: Path, noise: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """All of them: thresholds first, on the words of development, then what they are worth on the others."""
    model = IntegerModel.load(model_file(SHIPPED, ".npz"))
    _, trial, speech, far = _tried(model, takes, noise, negatives, False)
    margins = {**words.thresholds(trial, far, speech), "ships": float(taught.THRESHOLD)}
    about = {"model_hash": model.digest}
    yield figure("words.development", {"closed": words.closed(trial),
                                       "at": {name: words.at(margin, trial, far, speech)
                                              for name, margin in margins.items()}},
                 "% of takes; false accepts", data=DEVELOPED, hours=round(speech.hours, 3), **about,
                 usual=words.usual(speech).tolist())
    people, trial, speech, far = _tried(model, takes, noise, negatives, True)
    about |= {"data": ASIDE, "hours": round(speech.hours, 3)}
    yield figure("words.owner_closed", words.closed(trial), "% of takes, ten words taught in five takes", **about,
                 refused=words.share(trial.refused, trial.offered))
    yield figure("words.owner", {name: words.at(margin, trial, far, speech) for name, margin in margins.items()},
                 "% of takes heard, one word; false accepts", **about,
                 note="margins were read off on the words of development")
    table = {}
    for count in words.COUNTS:
        one, taught_words = words.owners(people, range(1, count + 1))
        away = words.in_speech(taught_words, speech)
        table[count] = {"closed": words.closed(one), "at": words.at(taught.THRESHOLD, one, away, speech)}
    yield figure("words.by_takes", table, "% of takes; false accepts", **about)
    yield figure("words.anyone", {f"{5 * each} takes of five": words.closed(words.anyone(people, each=each))
                                  for each in (1, 2)}, "% of takes, ten words taught by five people, said by others",
                 **about, draws=words.DRAWS)
    trial = words.yardstick(people)
    margin = words.thresholds(trial, far, speech, whole=False)[f"{words.SHARE_OF_OTHERS:.0%} of other words"]
    yield figure("words.warping", {"closed": words.closed(trial),
                                   "heard": words.at(margin, trial, far, speech)["heard"]["clean"]},
                 "% of takes, by dynamic time warping in float", **about,
                 note="heard: with 1 % of other words accepted, the threshold read off on the same takes")


def narrower(takes: Path, noise: Path, negatives: Sequence[Path]) -> Iterator[Figure]:
    """What owners get of the network that leaves room to teach on the board, by the constants that ship."""
    model = IntegerModel.load(model_file(TEACHES_ITSELF, ".npz"))
    _, trial, speech, far = _tried(model, takes, noise, negatives, True)
    yield figure(f"{TEACHES_ITSELF}.words",
                 {"closed": words.closed(trial), "ships": words.at(taught.THRESHOLD, trial, far, speech)},
                 "% of takes; false accepts", data=ASIDE, hours=round(speech.hours, 3), model_hash=model.digest)


def published(logmel: Path, takes: Path) -> Iterator[Figure]:
    """By the protocol of published few-shot spotters, as far as the data allow."""
    model, pictures = IntegerModel.load(model_file(SHIPPED, ".npz")), load_logmel(logmel)
    yield figure("words.published", {"their_words": few_shot.over(few_shot.their_words(model, pictures)),
                                     "drawn_words": few_shot.over(few_shot.drawn_words(model, pictures)),
                                     "other_language": few_shot.over(few_shot.other_language(model, takes))},
                 "% of takes; ten words, ten shots by anybody", model_hash=model.digest, shots=few_shot.SHOTS,
                 draws=few_shot.DRAWS,
                 data="Speech Commands, log-mel set: shots of training speakers, validation speakers are heard; Arabic "
                      "Speech Commands: words and people that no choice was made on, others are words of development",
                 note="; ".join(few_shot.DIFFERS))
