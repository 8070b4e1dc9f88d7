"""Taught words in recordings: the definition, the firmware's C on this computer and the chip hear the same."""

import numpy as np
import pytest

from tinyspeech import paths, toolchain
from tinyspeech.board import taught
from tinyspeech.chip import native
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import engines
from tinyspeech.sound import audio

NAMES = ("marvin", "happy", "yes")


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def recordings():
    """{word: five recordings}, int16 at 8 kHz: a person who says it three times, and two others."""
    dice, found = np.random.default_rng(0), {}
    for name in NAMES:
        mine, *others = (np.pad(audio.load_clip(path), 8000) for path in sorted(paths.BUNDLED.glob(f"{name}/*"))[:3])
        sounds = [sound + dice.normal(0, 3, len(sound)) for sound in (mine, 0.7 * mine, 0.4 * mine, *others)]
        found[name] = [frontend.to_8khz(np.rint(sound).astype(np.int16)) for sound in sounds]
    return found


@pytest.fixture(scope="module")
def known(model, recordings):
    return [words.teach(name, [words.take(model, x8) for x8 in some[:2]]) for name, some in recordings.items()]


def test_engines_hear_the_same_words_at_the_same_frames(recordings, known):
    """Also in noise at full scale, in a recording that ends in a word, and in none."""
    some = [x8 for of_one in recordings.values() for x8 in of_one]
    some += [np.random.default_rng(0).integers(-32768, 32768, 8000).astype(np.int16), some[0][:11_000],
             np.zeros(0, np.int16), np.concatenate(some[:6])]
    heard = {name: engines.engine(name, paths.SHIPPED).heard(some, known) for name in ("int", "c", "chip")}
    assert heard["int"] == heard["c"] == heard["chip"]
    for i in range(len(NAMES)):
        assert [index for _, index in heard["int"][5 * i + 2]] == [i]  # the third time, more softly
    assert [index for _, index in heard["int"][-1]].count(0) >= 3 and not heard["int"][-2] and not heard["int"][-4]


def test_all_places_are_heard(recordings, known):
    """One word in the last place, behind seven that nobody says."""
    nothing = words.Word("nothing", np.full_like(known[0].template, -8), 0)
    eight = [nothing] * 7 + [known[0]]
    for name in ("int", "c", "chip"):
        (found,) = engines.engine(name, paths.SHIPPED).heard([recordings["marvin"][2]], eight)
        assert [index for _, index in found] == [7], name


def test_no_board_has_nine_words(known, recordings):
    for name in ("int", "c", "chip"):
        with pytest.raises(UserError, match="at most 8 words, not 9"):
            engines.engine(name, paths.SHIPPED).heard([recordings["yes"][0]], known * 3)


def test_the_layout_and_the_places_are_the_firmwares(layout):
    layout.check(paths.FIRMWARE / "network.h", {"WORDS_PAGES": taught.PLACES, "WORDS": words.MAX_WORDS,
                                                "sizeof(struct word)": words.PAGE_BYTES})


@pytest.mark.parametrize("name", ["tinyspeech_xs", "tinyspeech_z"])
def test_a_network_to_which_no_words_can_be_taught(name):
    header = c_header(IntegerModel.load(paths.model_file(name, ".npz")))
    assert "#define MODEL_TAP 0\n" in header
    with pytest.raises(UserError, match="hears no taught words with this network"):
        native.Native(toolchain.firmware_with(header)).heard(np.zeros((40, 12), np.int8), b"\xff" * 512)
