"""Players of sounds, which are in the page themselves."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile
from IPython.display import HTML

from tinyspeech.pages.widgets.markup import render


def player(samples: np.ndarray, sample_rate_hz: int, label: str, bits: int = 16) -> str:
    """The HTML of a player, for a page of a flip book.

    Parameters
    ----------
    samples : int16 [N]
    bits : 16, or 8 for a WAV of half the size, which keeps the upper eight bits of each sample (rounded)
    """
    file = io.BytesIO()
    if bits == 8:
        samples = np.clip((samples.astype(int) + 128) >> 8, -128, 127).astype(np.int16) * 256
    subtype = {8: "PCM_U8", 16: "PCM_16"}[bits]
    soundfile.write(file, samples.astype(np.int16), sample_rate_hz, format="WAV", subtype=subtype)
    return render("player.html", label=label, wav=base64.b64encode(file.getvalue()).decode())


def sound(samples: np.ndarray, sample_rate_hz: int, label: str) -> HTML:
    """A player with the samples inside, as 16-bit WAV.

    Parameters
    ----------
    samples : int16 [N], played as they are: nothing is made louder
    label : what one would hear
    """
    return HTML(player(samples, sample_rate_hz, label))


def small_sound(samples: np.ndarray, sample_rate_hz: int, label: str) -> HTML:
    """A player as of `sound`, with 8-bit samples: a page carries more sounds this way. int16 [N] in."""
    return HTML(player(samples, sample_rate_hz, label, bits=8))
