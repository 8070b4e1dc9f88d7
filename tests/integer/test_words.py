"""Taught words: what is a take and what is not, what a word is, and the stream against the whole."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinyspeech.errors import UserError
from tinyspeech.integer import trials, words
from tinyspeech.integer.frontend import FrontendStream, to_8khz
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import BUNDLED, SHIPPED, model_file
from tinyspeech.sound import audio

QUIET_UNITS = 3
"""Of the noise around words here."""


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file(SHIPPED, ".npz"))


def spoken(word: str, number: int = 0, gain: float = 1.0, seed: int = 0, pause: int = 4000) -> np.ndarray:
    """A bundled clip at 8 kHz between pauses of soft noise, so many samples each."""
    clip = to_8khz(audio.load_clip(sorted(BUNDLED.glob(f"{word}/*.flac"))[number])) * gain
    noise = np.random.default_rng(seed).normal(0, QUIET_UNITS, len(clip) + 2 * pause)
    return np.clip(np.rint(np.pad(clip, pause) + noise), -32768, 32767).astype(np.int16)


@pytest.fixture(scope="module")
def lamp(model):
    """*marvin* in one voice, five times, louder and softer."""
    return words.teach("lamp", [words.take(model, spoken("marvin", 0, gain, seed)) for seed, gain in
                                enumerate((1, 0.8, 0.6, 0.5, 0.7))])


# ---------------------------------------------------------------- loudness


@pytest.mark.parametrize("c, code", [(-200, 0), (0, 0), (1, 1), (3, 1), (4, 2), (7, 2), (8, 3), (16, 4), (31, 4),
                                     (32, 5), (64, 5), (500, 5)])
def test_weights_are_powers_of_two(c, code):
    assert words.weight_code(c) == code
    assert words.weight(code) == (0, 1, 2, 4, 8, 16)[code]


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=300), st.booleans())
@example([127] * 300, True)
@example([-128, 127] * 150, False)
def test_floor_and_peak_stay_16_bits_and_apart(loudness, hurry):
    state = words.Loudness()
    for e in loudness:
        code = state.push(e, hurry)
        assert 0 <= code <= words.LARGEST_CODE
        assert state.peak - state.floor >= words.SPAN << 4 and state.peak >= e << 4
        assert -(1 << 15) <= state.floor < 1 << 15 and state.peak < 1 << 15
        assert not code or e << 4 > state.floor


def test_a_louder_place_becomes_quiet_again():
    """Noise that begins and stays is no word for ever: the floor hurries up to it."""
    state, codes = words.Loudness(), []
    for t in range(400):
        codes.append(state.push(-100 if t < 50 else 20, 50 + words.LONGEST <= t))
    assert all(codes[51:80]) and not any(codes[300:])


def test_history_is_what_the_last_frames_were():
    """Length, end and fit, by the codes alone."""
    dice, state, codes, begin = np.random.default_rng(0), words.Standing(), [], 0
    ended = fitted = 0
    for _ in range(4000):
        stood = any(codes[-words.QUIET :])
        codes.append(state.push(int(dice.choice([-100, -100, -100, 0, 60]))))
        if codes[-1] and not stood:
            begin = len(codes) - 1
        assert state.stands == any(codes[-words.QUIET :]) and state.history < 1 << 30
        assert [state.code(ago) for ago in range(min(10, len(codes)))] == codes[:-11:-1]
        if stood or codes[-1]:
            assert state.length == min(len(codes) - begin, words.LONGEST_COUNT)
        assert state.ended == (stood and not state.stands)
        if state.ended:
            ended, last = ended + 1, len(codes) - words.QUIET
            assert state.fits == (last - begin <= words.LONGEST) and codes[last - 1]
            fitted += state.fits
    assert ended > fitted > 10


# ---------------------------------------------------------------- costs


vectors_of = hnp.arrays(np.int64, (7, words.VALUES), elements=st.integers(-8, 15))
templates = hnp.arrays(np.int64, (2, words.PARTS, words.VALUES), elements=st.integers(-8, 15))


@settings(deadline=None)
@given(hnp.arrays(np.int64, (7, 2, words.PARTS), elements=st.integers(-100, 100)),
       hnp.arrays(np.int64, 7, elements=st.integers(1, 3)))
def test_a_cost_is_the_least_of_all_ways_through_the_parts(excess, codes):
    costs = None
    for code, here in zip(codes.tolist(), excess, strict=True):
        costs = words.step(costs, here, code)
    rounded = np.floor(excess * 2.0 ** codes[:, None, None] / 128 + 0.5).astype(int)
    for word in range(2):
        ways = [sum(int(rounded[t, word, part]) for t, part in enumerate(way))
                for way in itertools.combinations_with_replacement(range(words.PARTS), 7)
                if set(way) == set(range(words.PARTS))]
        assert costs[word, -1] == min(ways)


@settings(deadline=None)
@given(vectors_of, templates, st.integers(0, 255), hnp.arrays(np.int64, 7, elements=st.integers(0, words.LARGEST_CODE)))
def test_costs_are_a_byte_and_fall_with_the_threshold(vectors, rows, threshold, codes):
    codes[0] = max(1, codes[0])
    segment = words.Segment(0, 7, codes, vectors)
    beyond = segment.beyond(rows)
    assert beyond.shape == (np.count_nonzero(codes), 2, words.PARTS)
    here = segment.cost(beyond, threshold)
    assert (here >= -128).all() and (here <= words.START).all()
    assert (segment.cost(beyond, threshold + 1) <= here).all()
    assert (segment.cost(beyond, np.array([threshold, threshold])) == here).all()


def test_costs_stop_at_the_ends_of_a_byte():
    far = np.full((words.LONGEST, 1, words.PARTS), 735)
    for excess, end in ((far, words.START), (-far, -words.START - 1)):
        costs = None
        for here in excess:
            costs = words.step(costs, here, words.LARGEST_CODE)
        assert costs[0, -1] == end


def test_the_usual_costs_more():
    """As far from a template, but nearer to what is usual: less of a word."""
    usual, template = words.USUAL, np.zeros((1, words.VALUES), np.int64)
    other = np.where(np.arange(words.VALUES) % 2, -usual, usual)  # as far
    assert words.distances(usual, template)[0] == words.distances(other, template)[0]
    assert words.beyond_usual(usual, template)[0] > words.beyond_usual(other, template)[0]
    assert np.isin(usual[words.COEFFICIENTS :], words.LEVELS).all() and (np.abs(usual[: words.COEFFICIENTS]) <= 8).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_the_stream_is_the_whole(seed, count):
    """Frame by frame as all at once: the same words at the same frames, whatever comes."""
    dice = np.random.default_rng(seed)
    lengths = dice.integers(1, 45, 12)
    loudness = np.repeat(dice.integers(-128, 128, 12), lengths) + dice.integers(-6, 7, lengths.sum())
    loudness = np.clip(loudness, -128, 127)
    vectors = np.concatenate([dice.integers(-8, 8, (len(loudness), words.COEFFICIENTS)),
                              dice.integers(0, 16, (len(loudness), words.BLOCK))], axis=1)
    known = [words.Word(f"w{i}", np.concatenate([dice.integers(-8, 8, (words.PARTS, words.COEFFICIENTS)),
                                                 dice.integers(0, 16, (words.PARTS, words.BLOCK))], 1).astype(np.int8),
                        int(dice.integers(150, 256))) for i in range(count)]
    expected = []
    for segment in words.segments(loudness, vectors):
        if known:
            beyond = segment.beyond(np.stack([word.template for word in known]).astype(np.int64))
            cost = segment.cost(beyond, np.array([word.threshold for word in known])).tolist()
            if min(cost) < 0:
                expected.append((segment.decided, cost.index(min(cost))))
    listener = words.Listener(known)
    answers = [listener.push(*row) for row in zip(loudness.tolist(), vectors, strict=True)]
    assert [(t, answer) for t, answer in enumerate(answers) if answer is not None] == expected


def test_streams_of_that_kind_hold_words():
    """The test above is about something."""
    loudness = np.array([-100] * 20 + [30] * 12 + [-100] * 20)
    rows = np.zeros((52, words.VALUES), np.int64)
    listener = words.Listener([words.Word("w", np.zeros((words.PARTS, words.VALUES), np.int8), 1)])
    assert [listener.push(*row) for row in zip(loudness.tolist(), rows, strict=True)].index(0) == 31 + words.QUIET


def test_batches_share_their_coefficients(model):
    features = np.zeros((14, 12), np.int8)
    features[:, 1] = [0, 0, 0, 32, 40, 40, 40, 48, -128, -128, -128, -128, 127, 127]
    block = np.repeat(np.arange(0, 127, 8)[:, None], words.BLOCK, axis=1)
    loudness, vectors = words.from_block(features, block)
    assert loudness.shape == (6,) and vectors.shape == (6, words.VALUES)  # what is no whole batch waits
    assert vectors[:, 0].tolist() == [1, 1, 5, 5, -8, -8]  # means 8 and 42 of 8
    assert vectors[:, -1].tolist() == list(range(6))


# ---------------------------------------------------------------- takes


def test_parts_weigh_the_same():
    vectors = np.repeat(np.arange(0, 80, 10)[:, None], words.VALUES, 1)
    even = words.Segment(0, 8, np.full(8, 1), vectors).parts()
    assert even[:, 0].tolist() == [5, 25, 45, 65]
    heavy = words.Segment(0, 8, np.array([5, 1, 1, 1, 1, 1, 1, 1]), vectors).parts()
    assert heavy[:, 0].tolist()[:2] == [0, 0]  # the first frame is more than half of the word
    three = words.Segment(0, 3, np.array([1, 1, 1]), np.repeat([[-8], [1], [15]], words.VALUES, axis=1)).parts()
    assert three[:, 0].tolist() == [-8, -2, 6, 15]  # (-8 * 1 + 1 * 2) / 3 and (1 * 2 + 15 * 1) / 3, rounded half up


def test_a_take_is_what_lies_around_it_and_no_more(model):
    """The network is reset before it: what was said a second ago does not matter, what follows later neither."""
    features = FrontendStream().push(spoken("marvin", pause=8000))
    (begin, codes), = words.standing(words.loudness_of(features))
    first, behind = 2 * (begin - words.LEAD), 2 * (begin + len(codes) + words.QUIET)
    changed = features.copy()
    changed[:first], changed[behind:] = 50, -50
    one, other = (words.taken(model, x, begin, codes) for x in (features, changed))
    assert (one.vectors == other.vectors).all() and (one.begin, one.end) == (begin, begin + len(codes))
    changed[first] = -128
    assert (words.taken(model, changed, begin, codes).vectors != one.vectors).any()
    early = words.taken(model, features[2 * begin - 2 :], 1, codes)  # fewer than LEAD frames are there
    assert early.vectors.shape == one.vectors.shape and early.begin == 1


def test_what_is_kept_of_a_take_is_enough(model):
    """Frame by frame, the take is that of the whole recording."""
    features = FrontendStream().push(spoken("marvin", pause=8000))
    (begin, codes), = words.standing(words.loudness_of(features))
    take = words.Take()
    verdicts = [take.push(features[2 * t : 2 * t + 2]) for t in range(begin + len(codes) + words.QUIET)]
    assert verdicts[-1] == words.OK and set(verdicts[:-1]) == {None}
    assert len(take.kept) == words.LEAD + len(codes) + words.QUIET <= words.FRAMES
    segment, whole = take.segment(model), words.taken(model, features, begin, codes)
    assert (segment.vectors == whole.vectors).all() and segment.codes.tolist() == codes


def test_nothing_behind_a_kept_take_reaches_its_vectors(model):
    """Half a batch may be filled up with anything."""
    dice = np.random.default_rng(0)
    for count in (12, 13):
        codes = [0] * 2 + [3] * (count - 2 - words.QUIET) + [0] * words.QUIET
        nibbles = dice.integers(-8, 8, (count, 12))
        one = words.replayed(model, codes, nibbles)
        other = words.replayed(model, [*codes, 0], np.concatenate([nibbles, dice.integers(-8, 8, (1, 12))]))
        assert (one.vectors == other.vectors[: len(one.vectors)]).all()


def test_segments_of_a_stream_are_those_that_stand_alone(model):
    features = FrontendStream().push(np.concatenate([spoken("marvin"), spoken("happy"), spoken("sheila")]))
    loudness, vectors = words.frames(model, features)
    found = words.segments(loudness, vectors)
    assert [(s.begin, s.codes.tolist()) for s in found] == words.standing(loudness) and len(found) == 3
    assert (words.loudness_of(features)[: len(loudness)] == loudness).all()
    for segment in found:
        late = vectors[segment.begin + words.LAG : segment.end + words.LAG, words.COEFFICIENTS :]
        assert (segment.vectors[:, words.COEFFICIENTS :] == late).all()
        now = vectors[segment.begin : segment.end, : words.COEFFICIENTS]
        assert (segment.vectors[:, : words.COEFFICIENTS] == now).all()


def test_a_word_taught_is_heard_and_others_are_not(model, lamp):
    sound = np.concatenate([spoken("marvin", 0, 0.9, 7), spoken("happy", 0), spoken("sheila", 0),
                            spoken("marvin", 0, 0.3, 8)])
    found = words.heard(model, sound, [lamp])
    second = 25
    assert [index for _, index in found] == [0, 0]
    assert found[0][0] < 2 * second + words.QUIET and found[1][0] > 6 * second


def test_the_closest_of_several_is_heard(model, lamp):
    happy = words.teach("happy", [words.take(model, spoken("happy", 0, gain)) for gain in (1, 0.7)])
    sound = np.concatenate([spoken("marvin", 0, 0.9, 7), spoken("happy", 0, 0.8)])
    assert [index for _, index in words.heard(model, sound, [happy, lamp])] == [1, 0]


def test_a_stream_without_words_or_frames(model, lamp):
    assert words.heard(model, spoken("marvin"), []) == []
    assert words.heard(model, np.zeros(300, np.int16), [lamp]) == []


@pytest.mark.parametrize("sound, why", [
    (np.zeros(16_000, np.int16), "empty"),
    (np.zeros(0, np.int16), "empty"),
    (np.zeros(100, np.int16), "empty"),
    (np.full(16_000, 20_000, np.int16), "empty"),  # an offset is no sound
    (np.full(16_000, -32_768, np.int16), "clipped"),
    (np.resize(np.array([32_767, -32_768], np.int16), 16_000), "clipped"),
    (spoken("marvin", gain=40), "clipped"),
    (spoken("marvin")[7000:], "cut"),
    (spoken("marvin")[:7500], "cut"),
    (np.pad(np.random.default_rng(0).normal(0, 3000, 16_000), 4000).astype(np.int16), "long"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_takes_that_are_none_are_refused(model, sound, why):
    with pytest.raises(UserError, match=why):
        words.take(model, sound)


def test_only_samples_are_a_take(model):
    with pytest.raises(UserError, match="int16"):
        words.take(model, np.zeros(16_000))
    with pytest.raises(UserError, match="int16"):
        words.take(model, np.zeros((2, 16_000), np.int16))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 300, 20_000, 32_767]), st.integers(0, 24_000))
def test_whatever_is_recorded_is_a_take_or_is_refused_in_a_line(model, seed, loud, length):
    dice = np.random.default_rng(seed)
    sound = (dice.uniform(-loud, loud, length) * (np.arange(length) % 5000 < dice.integers(1, 5000))).astype(np.int16)
    try:
        segment = words.take(model, sound)
    except UserError as error:
        assert str(error) in words.REFUSALS.values()
    else:
        assert segment.end - segment.begin <= words.LONGEST
        assert np.count_nonzero(segment.codes) >= words.SHORTEST and segment.weight <= 16 * words.LONGEST


def test_a_take_unlike_the_others_is_refused(model):
    same = [words.take(model, spoken("marvin", 0, gain)) for gain in (1, 0.8, 0.6)]
    with pytest.raises(UserError, match="take 3 is unlike"):
        words.teach("lamp", [*same[:2], words.take(model, spoken("happy")), same[2]])
    with pytest.raises(UserError, match="at least one"):
        words.teach("lamp", [])


def test_of_two_takes_unlike_each_other_the_second_stays(model):
    """Either may be the wrong one; so one wrong take costs one more, and no start anew."""
    wrong, one, two = (words.take(model, sound).parts() for sound in
                       (spoken("happy"), spoken("marvin"), spoken("marvin", 0, 0.7)))
    for takes, answers in (([wrong, one, two], [True, False, True]),
                           ([one, wrong, two, one], [True, False, False, True])):
        sums = words.Sums()
        assert [sums.add(parts) for parts in takes] == answers and sums.count == 2
        assert (sums.rows == one + two).all()


@given(hnp.arrays(np.int64, (words.TAKES, words.PARTS, words.VALUES), elements=st.integers(-8, 15)))
def test_sums_fit_a_byte_and_are_means(takes):
    sums = words.Sums(takes.sum(axis=0), len(takes))
    assert (sums.rows >= -128).all() and (sums.rows <= 127).all()
    assert sums.unlikeness(takes[0]) <= words.PARTS * 23 * 49 * words.TAKES < 1 << 15  # int16 on the chip
    template = sums.template()
    mean = np.floor(takes.mean(axis=0) + 0.5)
    assert (template[:, : words.COEFFICIENTS] == mean[:, : words.COEFFICIENTS]).all()
    assert np.isin(template[:, words.COEFFICIENTS :], words.LEVELS).all()
    assert ((template == 11) == (mean >= 9))[:, words.COEFFICIENTS :].all()


# ---------------------------------------------------------------- teaching


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_takes_come_in_pieces(model, pieces):
    sound = spoken("marvin", 0, 0.8)
    whole = words.Teaching(model, "lamp")
    assert whole.push(sound) == words.OK
    teaching, verdicts = words.Teaching(model, "lamp"), []
    for piece in np.split(sound, np.minimum(np.cumsum(pieces), len(sound))):
        verdicts.append(teaching.push(piece))
        if verdicts[-1]:
            break
    assert verdicts[-1] == words.OK and (teaching.sums.rows == whole.sums.rows).all()


def test_a_board_may_send_features(model):
    """What its front end computed teaches what its samples teach."""
    sound = spoken("marvin", 0, 0.8)
    by_samples, by_features = words.Teaching(model, "lamp"), words.Teaching(model, "lamp")
    assert by_samples.push(sound) == words.OK
    features = FrontendStream().push(sound)
    verdicts = [by_features.hear(features[2 * t : 2 * t + 2]) for t in range(len(features) // 2)]
    assert verdicts.count(words.OK) == 1 and set(verdicts) == {None, words.OK}
    assert (by_features.sums.rows == by_samples.sums.rows).all()
    assert by_features.hear(features[:2], words.CLIPPED) is None and by_features.take.clipped == words.CLIPPED


def test_five_takes_make_the_word_that_recordings_make(model, lamp):
    teaching = words.Teaching(model, "lamp")
    verdicts = []
    for seed, gain in enumerate((1, 0.8, 0.6, 0.5, 0.7)):
        assert not teaching.done
        verdicts.append(teaching.push(spoken("marvin", 0, gain, seed)))
        if seed == 1:  # what is none in between changes nothing
            verdicts += [teaching.push(x) for x in (spoken("happy"), np.zeros(80_000, np.int16))]
    assert verdicts == ["ok", "ok", "unlike", "empty", "ok", "ok", "ok"] and teaching.done
    assert teaching.word().pack() == lamp.pack()


@pytest.mark.parametrize("sound, verdict", [
    (np.zeros(80_000, np.int16), "empty"),
    (np.resize(np.array([3, -3], np.int16), 80_000), "empty"),
    (spoken("marvin")[7000:], "cut"),
    (np.pad(np.random.default_rng(0).normal(0, 3000, 16_000), 4000).astype(np.int16), "long"),
    (np.pad(np.random.default_rng(0).normal(0, 3000, 90_000) * (1 + np.arange(90_000) // 2000 % 2 * 9),
            (4000, 0)).clip(-31_000, 31_000).astype(np.int16), "long"),
    (spoken("marvin", gain=40), "clipped"),
    (spoken("marvin", gain=0.5), "ok"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_verdicts_of_the_stream(model, sound, verdict):
    assert words.Teaching(model, "lamp").push(sound) == verdict


def test_a_knock_is_no_take(model):
    """It is forgotten, and the word behind it is heard."""
    knock = np.zeros(6000, np.int16)
    knock[4000:4100] = 5000
    teaching, alone = words.Teaching(model, "lamp"), words.Teaching(model, "lamp")
    assert teaching.push(np.concatenate([knock, spoken("marvin")])) == words.OK == alone.push(spoken("marvin"))
    assert teaching.sums.add(alone.sums.rows)


def test_samples_of_every_frame_count_as_clipped_once(model, monkeypatch):
    """All but the first 96, which are in no frame's newest 160; those of half a frame of ours wait."""
    monkeypatch.setattr(words, "CLIPPED", 10_000)
    dice = np.random.default_rng(0)
    sound = dice.choice([-32768, -32000, -31999, 31999, 32000, 32767], 3000).astype(np.int16)
    teaching, done = words.Teaching(model, "lamp"), 0
    for piece in np.split(sound, np.sort(dice.integers(0, 3000, 20))):
        assert teaching.push(piece) is None
        done += len(piece)
        counted = sound[96 : 96 + max(0, done - 96) // 320 * 320].astype(int)
        assert teaching.take.clipped == np.count_nonzero(np.abs(counted) >= 32_000)


def test_hostile_takes_are_of_all_kinds(model):
    """What the firmware is compared on reaches every verdict, and words are taught by it."""
    recordings = [to_8khz(audio.load_clip(path)) for path in sorted(BUNDLED.glob("*/*.flac"))[::9]]
    teaching, verdicts, taught = words.Teaching(model, "lamp"), [], 0
    for sound in trials.takes(recordings, 200, seed=1):
        verdicts.append(teaching.push(sound))
        if teaching.done:
            teaching, taught = words.Teaching(model, "lamp"), taught + 1
    assert set(verdicts) == {None, words.OK, *words.REFUSALS} and taught > 2
    one, again = (np.concatenate(list(trials.takes(recordings, 12, seed))) for seed in (5, 5))
    assert (one == again).all()


def test_what_is_said_before_the_ask_is_not_heard(model):
    teaching, fresh = words.Teaching(model, "lamp"), words.Teaching(model, "lamp")
    assert teaching.push(spoken("marvin", gain=40)[:9000]) is None
    teaching.ask()
    assert teaching.push(spoken("marvin")) == fresh.push(spoken("marvin")) == words.OK
    assert (teaching.sums.rows == fresh.sums.rows).all()


@pytest.mark.parametrize("name", ["", "a lamp", "lämp", "x" * 9, "a\n"])
def test_names_that_do_not_fit_a_line_are_refused(lamp, name):
    with pytest.raises(UserError, match="name"):
        words.Word(name, lamp.template, lamp.threshold)


def test_a_board_keeps_eight_words(lamp):
    words.Listener([lamp] * words.MAX_WORDS)
    with pytest.raises(UserError, match="at most 8"):
        words.Listener([lamp] * (words.MAX_WORDS + 1))


def test_a_network_without_such_a_block_is_refused():
    other = IntegerModel.load(model_file("tinyspeech_z", ".npz"))
    with pytest.raises(UserError, match="no last block"):
        words.take(other, spoken("marvin"))


# ---------------------------------------------------------------- flash


@given(hnp.arrays(np.int8, (words.PARTS, words.VALUES), elements=st.integers(0, 15)), st.integers(0, 255),
       st.text("abcXYZ019-_", min_size=1, max_size=words.NAME_BYTES))
def test_words_come_back_from_flash(template, threshold, name):
    template[:, : words.COEFFICIENTS] -= 8
    template[:, words.COEFFICIENTS :] = words.LEVELS[template[:, words.COEFFICIENTS :] & 3]
    kept = words.Word(name, template, threshold).pack()
    assert len(kept) == words.PAGE_BYTES
    back = words.Word.unpack(kept)
    assert (back.name, back.threshold) == (name, threshold) and (back.template == template).all()


@given(st.integers(0, words.PAGE_BYTES - 1), st.integers(0, 7))
def test_a_bit_that_flips_makes_no_word(lamp, at, bit):
    data = bytearray(lamp.pack())
    data[at] ^= 1 << bit
    with pytest.raises(UserError, match="half"):
        words.Word.unpack(bytes(data))


@pytest.mark.parametrize("before", [b"\xff" * words.PAGE_BYTES, b"\0" * words.PAGE_BYTES])
def test_half_a_word_is_none(lamp, before):
    """Power fails after so many bytes: what was there, or erased flash, is behind them."""
    whole = lamp.pack()
    for written in range(0, words.PAGE_BYTES, 2):
        data = whole[:written] + before[written:]
        if data != whole:
            with pytest.raises(UserError, match="half"):
                words.Word.unpack(data)


def test_bytes_on_the_chip():
    assert words.Listener.state_bytes(0) == 35 and words.Listener.state_bytes(1) - words.Listener.state_bytes(0) == 4
    assert words.PAGE_BYTES == 64


def test_a_room_that_is_louder_than_silence_cuts_no_take(model):
    """What stands behind a recording is silence; the room's own noise is no word that began before."""
    rng = np.random.default_rng(0)
    level = np.concatenate([np.full(4000, 80), 3000 * np.hanning(3600) + 80, np.full(4000, 80)])
    assert words.take(model, (level * rng.standard_normal(len(level))).astype(np.int16)).weight > 0


def test_a_report_names_the_networks_own_words(model):
    """Which need not be the ten."""
    sound = np.concatenate([spoken(word, pause=8000) for word in ("yes", "right", "stop")])
    other = replace(model, classes=tuple(f"{name}2" for name in model.classes))
    found = words.reported(model, sound, [])
    assert found and words.reported(other, sound, []) == [(frame, f"{name}2") for frame, name in found]
