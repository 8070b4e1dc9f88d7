"""Taught words without takes: templates by chance."""

import numpy as np

from tinyspeech.integer import words


def any_word(name: str, seed: int = 0) -> words.Word:
    dice = np.random.default_rng(seed)
    coefficients = dice.integers(-8, 8, (words.PARTS, words.COEFFICIENTS))
    block = dice.choice(words.LEVELS, (words.PARTS, words.BLOCK))
    return words.Word(name, np.concatenate([coefficients, block], axis=1).astype(np.int8), 77)
