"""A board to which words were taught reports what the definition reports, at the same frames, armed or open."""

import numpy as np
import pytest
from support.kept_words import ERASED, answer, kept
from support.played import clips_in_a_row, lines_heard

from tinyspeech import paths
from tinyspeech.board.microphone import SIGNAL_HZ, as_volts
from tinyspeech.board.protocol import Command, transcript
from tinyspeech.board.virtual import VirtualBoard, shipped_image
from tinyspeech.integer import decision, frontend, listening, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.measure import live
from tinyspeech.sound import mulaw


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))


@pytest.fixture(scope="module")
def codes():
    """Half a minute of clips in a row, in mu-law."""
    return np.asarray(mulaw.mulaw_encode(clips_in_a_row(24)))


@pytest.fixture(scope="module")
def taught(model, codes):
    """Eight words, each of one take that is in the row."""
    features = frontend.FrontendStream().push(mulaw.mulaw_decode(codes))
    segments = [one for one in words.segments(*words.frames(model, features)) if np.count_nonzero(one.codes) > 5]
    assert len(segments) > 8
    return [words.teach(f"own{n}", [one]) for n, one in enumerate(segments[:8])]


@pytest.mark.parametrize("first", [0, decision.TAUGHT, 2, 11])
def test_a_board_reports_what_the_definition_does(model, codes, taught, first):
    """Three words of eight, or all; those in the last slots, too."""
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    code = ord("P") + first
    board.send(Command.SETTINGS + bytes([code, code ^ 0xFF]))
    board.advance(0.05)
    assert board.received() == b"settings %c\n" % code
    slots = [7, 4, 0] if first == 2 else range(8)
    for slot in slots:
        assert answer(board, taught[slot].pack(), slot) == taught[slot].pack()
    sound = mulaw.mulaw_decode(codes)
    some = [taught[slot] for slot in sorted(slots)]
    found = words.reported(model, sound, some, first_word=first or None)
    names = {name for _, name in found}
    assert bool(names & {word.name for word in some}) == (first < 2)
    assert lines_heard(board, codes) == transcript(found, listening.frame_count(len(sound)))
    assert board.chip.state.resets == 1


def test_without_taught_words_nothing_changes(model, codes):
    sound = mulaw.mulaw_decode(codes)
    assert words.reported(model, sound, []) == listening.words(model, sound)
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    assert set(kept(board)) == {ERASED}
    assert lines_heard(board, codes) == transcript(listening.words(model, sound), listening.frame_count(len(sound)))


def test_a_board_sends_the_coefficients_of_its_microphone(codes):
    """So a computer can take what is said to the board. The samples are those that its converter read."""
    board = VirtualBoard(shipped_image())
    board.advance(0.01)
    chip, state, seconds = board.chip, board.chip.state, 3
    volts = as_volts(mulaw.mulaw_decode(codes)[: seconds * frontend.SAMPLE_RATE_HZ], frontend.SAMPLE_RATE_HZ)
    board.send(Command.COEFFICIENTS)
    board.advance(0.002)
    chip.connect_microphone(volts, SIGNAL_HZ)
    board.advance(seconds - 0.1)
    count = state.conversions
    first = state.converted_at - (count - 1) * (listening.CLOCK_HZ // listening.ADC_HZ)
    cycles = first + listening.SAMPLING_CYCLES + listening.CLOCK_HZ // listening.ADC_HZ * np.arange(
        count // listening.CONVERSIONS * listening.CONVERSIONS)
    samples = listening.from_conversions(live.codes_at(volts, SIGNAL_HZ, chip.heard_at(cycles)))
    board.send(Command.STOP)
    board.advance(0.05)
    said, features = board.received(), frontend.FrontendStream().push(samples)
    frames = int(said.split(b"stopped ")[-1])
    body = said.removeprefix(b"listening\n").removesuffix(b"stopped %d\n" % frames)
    assert len(body) == frames * frontend.N_COEFFICIENTS and len(features) <= frames <= len(features) + 1
    assert len(features) > 100 and body[: features.size] == features.tobytes()
