"""Teaching in C is that of the definition: verdicts, sums and the page, over takes said and hostile."""

import ctypes

import numpy as np
from support.words_in_c import STATE

from tinyspeech import paths
from tinyspeech.chip.native import Native
from tinyspeech.integer import frontend, trials, words
from tinyspeech.integer.network import IntegerModel
from tinyspeech.pages.widgets.engines import VERDICTS
from tinyspeech.sound import datasets


class Take(ctypes.Structure):
    """struct take of teach.h."""

    _fields_ = (("count", ctypes.c_uint8), ("place", ctypes.c_uint8),
                ("sums", ctypes.c_uint8 * words.VALUES * words.PARTS), ("frame", ctypes.c_uint8 * 7 * words.FRAMES),
                ("rest", ctypes.c_uint8 * 5), ("frames", ctypes.c_uint16),
                ("clipped", ctypes.c_uint32), ("features", ctypes.c_int8 * 24), ("part", ctypes.c_uint8 * 60))


class InC:
    """A board that is taught by the firmware's C."""

    def __init__(self, native: Native):
        self.native, self.library, self.take, self.state = native, native.library, Take(), np.zeros(1, STATE)

    def push(self, samples: np.ndarray) -> str | None:
        """As `words.Teaching.push`, from an ask on: what is pushed is one take."""
        outlives = bytes(self.take)[: Take.frame.offset]
        ctypes.memset(ctypes.byref(self.take), 0, ctypes.sizeof(Take))
        ctypes.memmove(ctypes.byref(self.take), outlives, len(outlives))
        self.state[:] = 0
        features = frontend.FrontendStream().push(samples)
        loud = np.flatnonzero(words.is_clipped(samples)) - (frontend.WINDOW - frontend.HOP)
        loud = np.bincount(np.maximum(loud[loud >= 0], 0) // frontend.HOP // 2, minlength=len(features))
        for t in range(len(features) // 2):
            self.take.features[:] = features[2 * t : 2 * t + 2].reshape(-1)
            self.take.clipped += int(loud[t])
            verdict = self.library.teach_frame(ctypes.byref(self.take), ctypes.c_void_p(self.state.ctypes.data))
            if VERDICTS[verdict] == words.OK:
                verdict = self.library.teach_add(ctypes.byref(self.take), self.native._scratch)
            if verdict:
                return VERDICTS[verdict]
        return None

    def parts(self) -> bytes:
        """Of the word, as its page has them."""
        page = ctypes.create_string_buffer(words.PAGE_BYTES)
        self.library.teach_parts(ctypes.byref(self.take), page)
        return page.raw[words.NAME_BYTES + 2 : -2]


def trial(count: int, seed: int) -> tuple[int, dict, int]:
    """(Differences, how often each verdict was given, words that were taught)."""
    model = IntegerModel.load(paths.model_file(paths.SHIPPED, ".npz"))
    clips = list(frontend.to_8khz(datasets.load_task(paths.BUNDLED, "validation", limit=24).arrays()[0]))
    native = Native(sanitize=True)
    wrong, verdicts, taught = 0, dict.fromkeys(VERDICTS, 0), 0
    teaching, board = words.Teaching(model, "lamp"), InC(native)
    for sound in trials.takes(clips, count, seed):
        teaching.ask()
        want, got = teaching.push(sound), board.push(sound)
        verdicts[want] += 1
        sums = np.array(board.take.sums, int)
        sums[:, : words.COEFFICIENTS] -= 8 * board.take.count
        wrong += (got != want) + int((sums != teaching.sums.rows).sum()) + (board.take.count != teaching.sums.count)
        if teaching.done:
            wrong += board.parts() != teaching.word().pack()[words.NAME_BYTES + 2 : -2]
            teaching, board, taught = words.Teaching(model, "lamp"), InC(native), taught + 1
    print(f"{count} takes: {wrong} differences, {verdicts}, {taught} words")
    return wrong, verdicts, taught


def test_c_is_taught_what_the_definition_is():
    wrong, verdicts, taught = trial(200, 1)
    assert wrong == 0 and all(verdicts.values()) and taught > 2
