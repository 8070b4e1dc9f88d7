"""The decision on a stream: what is reported and what is not, and the C against its definition."""

import ctypes
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyspeech import CLASSES, paths, toolchain
from tinyspeech.errors import UserError
from tinyspeech.integer import decision, frontend, listening
from tinyspeech.integer.header import c_header
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import FIRMWARE, model_file
from tinyspeech.sound import datasets

YES, UP, SILENCE, UNKNOWN = CLASSES.index("yes"), CLASSES.index("up"), 0, 1
IN_WORD = 100
"""What a frame in a word weighs."""


class State(ctypes.Structure):
    """struct decision of firmware/decision.h."""

    _fields_ = (("sums", ctypes.c_int32 * 12), ("weight", ctypes.c_int32), ("refractory", ctypes.c_uint8),
                ("window", ctypes.c_uint8))


class Loudness(ctypes.Structure):
    """struct decision_loudness."""

    _pack_ = 1
    _fields_ = (("peak", ctypes.c_uint8), ("mean", ctypes.c_uint16))


@pytest.fixture(scope="module")
def c():
    return ctypes.CDLL(str(toolchain.build_host_library([FIRMWARE / "decision.c"], sanitize=True)))


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file("tinyspeech_s", ".npz"))


def in_c(library, scores: np.ndarray, sensitivity: str = "normal",
         first_word: int | None = None) -> list[tuple[int, int]]:
    """`decision.words` by the firmware's C, of rows with a loudness, or of scores alone."""
    state, loudness, found = State(), Loudness(), []
    setting = 64 + 16 * decision.SENSITIVITIES.index(sensitivity) + (first_word or 0)
    for frame, row in enumerate(scores.tolist()):
        for c in range(12):  # as the network does; on the chip, test_live.py compares it
            state.sums[c] += row[c] - (state.sums[c] >> decision.LEAK_BITS)
        if frame % decision.STEP_FRAMES:
            for loud in row[12:]:  # the sum of a batch's first coefficients, however it is made up
                library.decision_listen(ctypes.byref(state), ctypes.byref(loudness), batch_of(loud))
            if (heard := library.decision_step(ctypes.byref(state), setting, UP)) >= 0:
                found.append((frame, heard))
    return found


def batch_of(loud: int) -> ctypes.Array:
    """Coefficients of four frames, int8 [4][12], whose loudness is this."""
    return (ctypes.c_int8 * 48)(*np.repeat([loud - 129], 4).repeat(12).tolist())


def stream(*parts: tuple[int, int, int], weight: int = IN_WORD) -> np.ndarray:
    """(class, lead, frames) in a row, each frame of so much weight -> weighed scores."""
    frames = [np.eye(12, dtype=np.int64)[label] * lead for label, lead, count in parts for _ in range(count)]
    return np.array(frames) * weight


def test_the_constants_of_the_c_are_those_of_the_definition():
    text = (FIRMWARE / "decision.h").read_text()
    for name in ("REJECTED", "LEAK_BITS", "REFRACTORY_STEPS", "WINDOW_STEPS", "MEAN_BITS", "STANDS_OUT", "FALLS"):
        assert f"#define DECISION_{name} {getattr(decision, name)}\n" in text, name
    bits = int(re.search(r"#define MODEL_LEAD_BITS (\d+)", (FIRMWARE / "model.h").read_text()).group(1))
    assert bits == decision.LEAD_BITS and all(lead % 2**bits == 0 for lead in decision.LEAST_LEADS.values())
    leads = ", ".join(str(lead >> bits) for lead in decision.LEAST_LEADS.values())
    names = ", ".join(decision.SENSITIVITIES)
    assert f"DECISION_LEAST_LEADS {leads} /* in 2^MODEL_LEAD_BITS: sensitivity {names} */" in text


@pytest.mark.parametrize("target", [(), toolchain.RV32EC], ids=["here", "chip"])
def test_the_state_lies_in_memory_as_the_c_has_it(layout, target):
    numbers = layout.of("decision", State) | {"sizeof(struct decision)": ctypes.sizeof(State)}
    numbers |= layout.of("decision_loudness", Loudness) | {"sizeof(struct decision_loudness)": ctypes.sizeof(Loudness)}
    layout.check(FIRMWARE / "decision.h", numbers | {"DECISION_CLASSES": len(CLASSES)}, *target)
    size = State.sums.size + State.refractory.size + State.window.size + ctypes.sizeof(Loudness)
    assert f"{size} bytes on the chip" in decision.Decision.__doc__


def test_a_word_is_reported_once_and_again_after_the_rest():
    found = decision.words(stream((YES, 800, 100)))
    assert {label for _, label in found} == {YES}
    assert np.diff([frame for frame, _ in found]).min() > decision.STEP_FRAMES * decision.REFRACTORY_STEPS
    assert len(decision.words(stream((YES, 800, 10)))) == 1


ENOUGH = -(-decision.LEAST_LEAD // (IN_WORD << decision.LEAK_BITS))
"""The lead of each frame that a sum approaches LEAST_LEAD with, leaks and all."""


@pytest.mark.parametrize("label, lead", [(SILENCE, 800), (UNKNOWN, 800), (YES, ENOUGH - 1), (YES, 0)])
def test_silence_unknown_words_and_narrow_leads_are_rejected(label, lead):
    assert decision.words(stream((label, lead, 100))) == []


def test_a_lead_that_lasts_is_enough():
    assert decision.words(stream((YES, ENOUGH + 1, 60)))


def test_the_least_lead_itself_is_enough():
    scores = np.zeros((2, 12), np.int64)
    scores[1, YES] = decision.LEAST_LEAD
    assert decision.words(scores) == [(1, YES)]
    assert decision.words(scores - (np.arange(12) == YES)) == []


def test_too_little_weight_is_no_word():
    assert decision.words(stream((YES, 800, 100), weight=3)) == []  # what frames between words have


@given(st.integers(0, 2**32 - 1), st.sampled_from([300, 10_000, 1_000_000]))
@settings(max_examples=60, deadline=None)
def test_c_equals_the_definition_on_random_scores(c, seed, size):
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 130, 200)
    lean = rng.integers(0, 12, 20).repeat(10)[:, None] == np.arange(12)
    scores = (rng.integers(-size, size, (200, 12)) + size * lean) * weights[:, None]
    assert in_c(c, scores) == decision.words(scores)


def with_loudness(scores: np.ndarray, loud) -> np.ndarray:
    """Rows int64 [n, 13] of scores and the loudness of each step."""
    return np.concatenate([scores, np.repeat(loud, decision.STEP_FRAMES)[: len(scores), None]], axis=1)


def test_a_word_stands_out_from_what_came_before():
    """By 11 dB, and a unit more for each step since; and it has fallen. What is as loud all the time does not."""
    lead = np.zeros((400, 12), np.int64)
    lead[201, YES] = decision.LEAST_LEAD  # step 100
    heard = [(201, YES)]

    def said(step: int, above: int, then: int = 0) -> list[tuple[int, int]]:
        loud = np.full(200, 100)
        loud[step], loud[step + 1 :] = 100 + above, 100 + then
        return decision.words(with_loudness(lead, loud))

    assert said(99, 19) == said(98, 20) == said(90, 28) == said(90, 100) == heard
    assert said(99, 18) == said(98, 19) == said(90, 27) == said(100, 30) == said(101, 30) == said(99, 0) == []
    assert said(99, 30, 21) == heard and said(99, 30, 22) == said(99, 30, 29) == []  # of the peak, one unit is gone
    assert decision.words(with_loudness(lead, np.full(200, 256))) == [] and decision.words(lead) == heard
    assert decision.words(with_loudness(lead, np.full(200, 100)), stands_out=0, falls=0) == heard
    assert decision.words(with_loudness(lead, np.full(200, 100)), stands_out=None) == heard


@pytest.mark.parametrize(("name", "bits"), [("tinyspeech_t", 10), ("tinyspeech_xs", 10), ("tinyspeech_z", 6)])
def test_every_network_has_leads_in_its_own_units(name, bits):
    """A unit of Z's scores is worth sixteen of S's: with S's leads it would never report a word."""
    network = IntegerModel.load(model_file(name, ".npz"))
    assert decision.lead_bits(network) == bits
    assert f"#define MODEL_LEAD_BITS {bits}\n" in c_header(network)
    least = {s: decision.of_network(network, sensitivity=s).least_lead for s in decision.SENSITIVITIES}
    assert least == {s: lead >> (10 - bits) for s, lead in decision.LEAST_LEADS.items()}
    assert decision.of_network(network, least_lead=7).least_lead == 7
    clips, labels = datasets.load_task(paths.BUNDLED, "validation").arrays()[:2]
    said = [label for label in labels if label > UNKNOWN][:40]
    pause = np.random.default_rng(0).integers(-20, 21, 12000).astype(np.int16)
    words = frontend.to_8khz(clips[np.asarray(labels) > UNKNOWN][:40])
    heard = listening.words(network, np.concatenate([pause, *(part for clip in words for part in (clip, pause))]))
    right = sum(any(0 <= frame / 50 - 1.5 - 2.5 * i < 1.75 and word == CLASSES[label] for frame, word in heard)
                for i, label in enumerate(said))
    assert right >= 15


@pytest.mark.parametrize(("step", "bits"), [(1e-300, 20), (1e300, 0), (0.0063, 10), (0.0032, 10), (0.0031, 12)])
def test_leads_of_any_file_are_numbers_of_the_chip(model, step, bits):
    assert decision.lead_bits(replace(model, logit_step=step)) == bits
    assert 0 < 4 * max(decision.LEAST_LEADS.values()) * 2**bits // 3 >> decision.LEAD_BITS < 2**31


def test_of_a_doubtful_words_lead_three_quarters_count(model):
    lead = np.zeros((2, 12), np.int64)
    for label, needed in ((YES, decision.LEAST_LEAD), (UP, 4 * (decision.LEAST_LEAD - 1) // 3 + 1)):
        lead[:], lead[1, label] = 0, needed
        assert decision.words(lead) == [(1, label)]
        assert decision.words(lead - (np.arange(12) == label)) == []
    assert decision.words(lead - (np.arange(12) == UP), doubtful=None) == [(1, UP)]
    asked = {YES: decision.LEAST_LEAD, UP: needed}
    assert [decision.least_leads(model, "normal")[label] for label in asked] == [*asked.values()]
    assert decision.doubtful(CLASSES) == UP and decision.doubtful(("_silence_", "_unknown_", "ja")) is None


def test_the_mean_follows_what_is_heard():
    """Music with a beat stands out behind each beat for some seconds after silence, until it is what is usual."""
    decider = decision.Decision()
    stood = []
    for loud in [40] * 50 + [140, 130] * 200:
        for _ in range(decision.STEP_FRAMES):
            decider.push(np.array([0] * 12 + [loud]))
        stood.append(decider.standing)
    assert not any(stood[:50]) and all(stood[51:200:2]) and not any(stood[50:200:2]) and not any(stood[300:])
    assert 130 < decider.mean / 2**decision.MEAN_BITS < 140


def test_loudness_is_the_first_coefficient_over_a_batch():
    features = np.zeros((11, 12), np.int8)
    features[:, 0] = np.arange(11)
    assert decision.loudness(features).tolist() == [130, 134]
    features[:4, 0], features[4:, 0] = -128, 127
    assert decision.loudness(features).tolist() == [1, decision.LOUDEST]


@given(st.lists(st.tuples(st.integers(1, 256), st.integers(1, 60)), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_c_follows_the_loudness_like_the_definition(c, parts):
    ours, theirs, state = decision.Decision(), Loudness(), State()
    for loud in [loud for loud, count in parts for _ in range(count)]:
        for _ in range(decision.STEP_FRAMES):
            ours.push(np.array([0] * 12 + [loud]))
        state.refractory = 0
        c.decision_listen(ctypes.byref(state), ctypes.byref(theirs), batch_of(loud))
        assert (ours.standing, ours.peak, ours.mean) == (not state.refractory, theirs.peak, theirs.mean)
        assert 0 < ours.mean < 1 << 16 and 0 <= ours.peak < 1 << 8


SETTINGS = [(sensitivity, first) for sensitivity in decision.SENSITIVITIES for first in (None, *range(1, 12))]


@given(st.integers(0, 2**32 - 1), st.sampled_from([300, 3_000, 1_000_000]), st.sampled_from(SETTINGS))
@settings(max_examples=200, deadline=None)
def test_c_equals_the_definition_with_every_setting(c, seed, size, setting):
    rng = np.random.default_rng(seed)
    likely = [setting[1] or YES, *range(12)]  # the first word often enough that windows open
    lean = rng.choice(likely, 40, p=[0.4, *[0.05] * 12]).repeat(10)[:, None] == np.arange(12)
    scores = (rng.integers(-size, size, (400, 12)) + size * lean) * rng.integers(1, 130, 400)[:, None]
    sensitivity, first_word = setting
    if seed % 2:  # pauses and bursts
        scores = with_loudness(scores, rng.integers(60, 160, 20).repeat(10))
    assert in_c(c, scores, *setting) == decision.words(scores, sensitivity=sensitivity, first_word=first_word)


def test_a_higher_sensitivity_hears_a_narrower_lead():
    scores = np.zeros((2, 12), np.int64)
    low, normal, high = decision.LEAST_LEADS.values()
    for lead, heard in ((high - 1, ""), (high, "high"), (normal, "normal high"), (low, "low normal high")):
        scores[1, YES] = lead
        assert " ".join(s for s in decision.SENSITIVITIES if decision.words(scores, sensitivity=s)) == heard
    assert decision.words(scores, sensitivity="low", least_lead=low + 1) == []  # the lead itself goes before


GO = CLASSES.index("go")
PAUSE = (SILENCE, 0, 30)


def armed(*parts: tuple[int, int, int]) -> list[int]:
    return [word for _, word in decision.words(stream(*parts), first_word=YES)]


def test_an_armed_board_reports_the_first_word_and_the_next():
    yes, go = (YES, 800, 4), (GO, 800, 4)
    assert armed(go, PAUSE, go) == []
    assert armed(go, PAUSE, yes, PAUSE, go, PAUSE, go) == [YES, GO]
    assert armed(yes, PAUSE, yes, PAUSE, yes, PAUSE, go) == [YES, YES, YES, GO]  # the second one closes it


def test_the_window_ends_after_its_steps():
    scores = np.zeros((200, 12), np.int64)
    scores[1, YES] = decision.LEAST_LEAD
    for steps, heard in ((decision.WINDOW_STEPS, [YES, GO]), (decision.WINDOW_STEPS + 1, [YES])):
        late = scores.copy()
        late[1 + steps * decision.STEP_FRAMES, GO] = decision.LEAST_LEAD
        assert [word for _, word in decision.words(late, first_word=YES)] == heard


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_an_armed_stream_reports_a_part_of_an_open_one(seed):
    rng = np.random.default_rng(seed)
    lean = rng.integers(0, 12, 60).repeat(10)[:, None] == np.arange(12)
    scores = (rng.integers(-300, 300, (600, 12)) + 400 * lean) * 100
    assert set(decision.words(scores, first_word=YES)) <= set(decision.words(scores))


@pytest.mark.parametrize("wrong", [{"sensitivity": "loud"}, {"first_word": 0}, {"first_word": 12}])
def test_settings_that_there_are_not_are_refused(wrong):
    with pytest.raises(UserError, match="choose from"):
        decision.Decision(**wrong)


@pytest.fixture(scope="module")
def minutes(model):
    """About a minute of bundled clips with pauses in noise: scores, events (label, first and last second, its clip's
    answer leads by 300)."""
    task = datasets.load_task(paths.BUNDLED, "validation", limit=48)
    clips, labels = task.arrays()[:2]
    answers = model.run(frontend.features(frontend.to_8khz(clips)))
    lead = np.diff(np.sort(answers, axis=1)[:, -2:], axis=1)[:, 0]
    clear = (answers.argmax(axis=1) == labels) & (lead >= 300) & (labels >= decision.REJECTED)
    rng = np.random.default_rng(0)
    parts, events, at = [], [], 0
    for i in rng.permutation(len(clips)):
        pause = np.zeros(int(rng.integers(3200, 16000)) // 2 * 2)
        parts += [pause, clips[i]]
        at += len(pause) + len(clips[i])
        events.append((int(labels[i]), (at - len(clips[i])) / 16000, at / 16000, bool(clear[i])))
    sound = np.concatenate(parts) + rng.normal(0, 30, at)
    x = frontend.to_8khz(sound.clip(-32768, 32767).astype(np.int16))
    return decision.frame_scores(model, frontend.FrontendStream().push(x)), events


def test_words_that_are_clear_in_a_clip_are_heard_in_a_long_recording(minutes):
    scores, events = minutes
    found = [(2 * frame * frontend.HOP / 8000, label) for frame, label in decision.words(scores)]

    def meets(event, t, label) -> bool:
        return event[0] == label and event[1] <= t <= event[2] + 0.6

    clear = [event for event in events if event[3]]
    heard = sum(any(meets(event, *word) for word in found) for event in clear)
    wrong = sum(not any(meets(event, *word) for event in events) for word in found)
    print(f"{heard} of {len(clear)} clear keywords, {wrong} of {len(found)} reports wrong")
    assert len(clear) > 20 and heard >= 0.6 * len(clear) and wrong <= 0.15 * len(found)


def test_c_equals_the_definition_on_a_long_recording(c, minutes):
    scores, _ = minutes
    assert len(scores) > 1500
    assert in_c(c, scores) == decision.words(scores)


def test_a_stream_has_the_scores_of_the_clip(model):
    """The frames of a clip, before its flush, add up to less than its answer's sums and are the same numbers."""
    features = np.random.default_rng(1).integers(-60, 60, (48, 12)).astype(np.int8)
    scores = decision.frame_scores(model, features)
    longer = decision.frame_scores(model, np.concatenate([features, features]))
    assert np.array_equal(longer[:24], scores)
    record = {}
    answer = model.run(features[None], record)[0]
    total = record["classifier"][0].sum(axis=0)
    assert np.array_equal(record["classifier"][0, :24], scores)
    assert abs(int(answer.argmax()) - int(total.argmax())) == 0


def test_a_network_that_does_not_weigh_its_frames_is_refused(model):
    from dataclasses import replace

    last = replace(model.layers[-1], kind="classifier")
    with pytest.raises(UserError, match="does not weigh"):
        decision.frame_scores(replace(model, layers=[*model.layers[:-1], last]), np.zeros((4, 12), np.int8))
