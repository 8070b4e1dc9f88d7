"""The firmware's own C, compiled for this computer and loaded in-process (chapters 8 and 9).

Not a copy: `firmware/frontend.c`, `kernels.c`, `network.c` and `model.h`, as flashed. Knows nothing of torch.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from tinyspeech import CLASSES, toolchain
from tinyspeech.chip.firmware import exported_hash
from tinyspeech.errors import UserError
from tinyspeech.integer import frontend, words
from tinyspeech.paths import FIRMWARE

SOURCES = ("frontend.c", "multiply.c", "kernels.c", "dense.c", "depthwise.c", "requantise.c", "words.c", "matching.c",
           "teach.c", "decision.c", "network.c")


class Native:
    """Front end and network in C. One instance at a time uses a library: the network's state is static, as on the chip.

    sanitize builds with the undefined-behaviour checks of the compiler: any overflow or stray shift aborts.
    """

    def __init__(self, firmware: Path = FIRMWARE, sanitize: bool = False):
        self.hash = exported_hash(firmware)
        path = toolchain.build_host_library([firmware / name for name in SOURCES], sanitize=sanitize)
        self.library = ctypes.CDLL(str(path))
        for name in ("network_words", "words_decide"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self._scratch = (ctypes.c_int32 * (frontend.WINDOW // 2))()  # the firmware's work buffer: a window, in words

    def features(self, x: np.ndarray) -> np.ndarray:
        """int16 [..., 8000] at 8 kHz -> int8 [..., 49, 12]. Another type or length raises `UserError`."""
        x = np.asarray(x)
        if x.dtype != np.int16 or x.shape[-1:] != (frontend.CLIP_SAMPLES,):
            raise UserError(f"a clip is int16 [{frontend.CLIP_SAMPLES}], not {x.dtype} {list(x.shape)}")
        clips = np.ascontiguousarray(x, np.int16).reshape(-1, frontend.CLIP_SAMPLES)
        out = np.empty((len(clips), frontend.N_FRAMES, frontend.N_COEFFICIENTS), np.int8)
        for clip, rows in zip(clips, out, strict=True):
            for t in range(frontend.N_FRAMES):
                rows[t] = self.frame(clip[t * frontend.HOP :][: frontend.WINDOW])
        return out.reshape(*x.shape[:-1], *out.shape[1:])

    def stream(self, samples: np.ndarray) -> np.ndarray:
        """int16 [n] at 8 kHz, pushed one by one through `frontend_push` -> int8 [frames, 12]."""
        samples = np.asarray(samples)
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UserError(f"samples must be int16 [n], not {samples.dtype} {list(samples.shape)}")
        state = ctypes.create_string_buffer(frontend.FrontendStream.STATE_BYTES)
        window = np.empty(frontend.WINDOW, np.int16)
        frames = []
        self.library.frontend_start(state)
        for sample in samples.tolist():
            if self.library.frontend_push(state, ctypes.c_int16(sample)):
                self.library.frontend_window(state, ctypes.c_void_p(window.ctypes.data))
                frames.append(self.frame(window))
        return np.array(frames, np.int8).reshape(-1, frontend.N_COEFFICIENTS)

    def heard(self, features: np.ndarray, pages: bytes) -> list[tuple[int, int]]:
        """(FRAME, place) of every taught word that is heard in a stream, int8 [T, 12], from a network that was reset.

        pages : all 8 places, 512 bytes, as they lie in the flash of a board
        Raises `UserError` for a network that the firmware does not listen to words with.
        """
        state = self.library
        if not (listening := state.network_words()):
            raise UserError("the firmware hears no taught words with this network: add --engine int")
        kept = (ctypes.c_uint8 * len(pages)).in_dll(state, "words_pages")
        kept[:] = pages
        found = []
        state.network_reset(1)
        for count, frame in enumerate(np.ascontiguousarray(features, np.int8), 1):
            if state.network_frame(ctypes.c_void_p(frame.ctypes.data), self._scratch):
                if page := state.words_decide(ctypes.c_void_p(listening)):
                    found.append((count, (page - ctypes.addressof(kept)) // words.PAGE_BYTES))
        return found

    def frame(self, window: np.ndarray) -> np.ndarray:
        """int16 [256] -> int8 [12]."""
        work = np.array(window, np.int16)  # destroyed by the transform
        if work.shape != (frontend.WINDOW,):
            raise UserError(f"a window is {frontend.WINDOW} samples, not {work.shape}")
        out = np.empty(frontend.N_COEFFICIENTS, np.int8)
        self.library.frontend_frame(ctypes.c_void_p(work.ctypes.data), ctypes.c_void_p(out.ctypes.data))
        return out

    def running(self, features: np.ndarray) -> np.ndarray:
        """The answer after each frame: int8 [T, 12] -> int32 [T, 12], from a network that was reset. Where frames wait
        for others, it changes only when these are there."""
        out, state = np.empty((len(features), len(CLASSES)), np.int32), self.library
        state.network_reset(0)
        for frame, row in zip(np.ascontiguousarray(features, np.int8), out, strict=True):
            state.network_frame(ctypes.c_void_p(frame.ctypes.data), self._scratch)
            state.network_logits(ctypes.c_void_p(row.ctypes.data))
        return out

    def logits(self, features: np.ndarray) -> np.ndarray:
        """int8 [N, T, 12] -> int32 [N, 12], each clip from a network that was reset. Otherwise `UserError`."""
        features = np.ascontiguousarray(features)
        if features.dtype != np.int8 or features.ndim != 3 or features.shape[-1] != frontend.N_COEFFICIENTS:
            raise UserError(f"features must be int8 [N, T, {frontend.N_COEFFICIENTS}], "
                            f"not {features.dtype} {list(features.shape)}")
        out = np.empty((len(features), len(CLASSES)), np.int32)
        for clip, row in zip(features, out, strict=True):
            self.library.network_reset(0)
            for frame in clip:
                self.library.network_frame(ctypes.c_void_p(frame.ctypes.data), self._scratch)
            self.library.network_flush(self._scratch)
            self.library.network_logits(ctypes.c_void_p(row.ctypes.data))
        return out
