"""Figures of the book, by topic.

Plotting code that teaches nothing lives here, so that a chapter's cells stay about the idea. Each function draws into
`ax` (by default the current axes), or into a new figure where its first line says so, and returns nothing, so that it
can end a notebook's cell without a stray output.

    from tinyspeech.pages import plots
    plots.style()
    plots.waveform(samples, 8000)

| topic | figures of |
| --- | --- |
| `theme` | no thing: palette, style and sizes of all figures, axes side by side and below one another |
| `architecture` | a network, block by block |
| `basic` | curves, dots and bars of whatever it may be |
| `sound` | samples and their spectra, the clips of a data set |
| `features` | windows, mel bands, coefficients |
| `networks` | scores, attention, what a network sees |
| `training` | losses, runs by seed, confusion, noise, calibration |
| `lowbit` | levels, ranges, clipping, rounding, headroom |
| `pruning` | zeros, formats that store them, what they cost |
| `memory` | regions and bytes of RAM and flash, over time, too |
| `chip` | the processor: cycles by function, registers, who works when |
| `board` | packets, a flashing session, pages of flash |
| `listening` | words in endless sound |
| `hours` | false reports in hours of sound |
| `words` | taught words: weights, templates, distances |
"""

import matplotlib.pyplot as plt  # for the one thing more that a cell may want of a figure

from tinyspeech.pages.plots.architecture import architecture
from tinyspeech.pages.plots.basic import (
    budget,
    columns,
    curves,
    differences,
    grouped,
    legend,
    line,
    marked,
    parts,
    places,
    scatter,
    ways,
)
from tinyspeech.pages.plots.board import BANK_COLORS, bank, conversation, packets, phases
from tinyspeech.pages.plots.chip import busy_over_time, function_costs, hand_over, registers, sequence, timeline
from tinyspeech.pages.plots.features import bands, correlation, envelopes, feature_map, growth, window
from tinyspeech.pages.plots.hours import by_word, det, det_over, operating, reports_over_time
from tinyspeech.pages.plots.listening import endless, heard, least_leads
from tinyspeech.pages.plots.lowbit import (
    accuracy_against_bits,
    clipping,
    drift,
    headroom,
    hops,
    ranges,
    roundings,
    staircase,
    tiles,
    tiles_and_levels,
)
from tinyspeech.pages.plots.memory import (
    address_space,
    byte_map,
    held,
    memory_map,
    painted,
    ram_over_time,
    region_colors,
    shared_buffer,
    squarified,
    treemap,
)
from tinyspeech.pages.plots.networks import fields, frame_weights, gate_over, gated_word, maps, scores, weighed_word
from tinyspeech.pages.plots.pruning import (
    FORMAT_LOOKS,
    over_zeros,
    pruned_sizes,
    row_fields,
    stored_row,
    trade,
    weight_maps,
)
from tinyspeech.pages.plots.sound import (
    dots,
    gallery,
    same_samples,
    sound_picture,
    spectrogram,
    spectrum,
    splits,
    waveform,
)
from tinyspeech.pages.plots.theme import DIVERGING, GRID, INK, PALE, PALETTE, PAPER, pair, png, stack, style, tall
from tinyspeech.pages.plots.training import against_noise, confusion, losses, paired, reliability, runs
from tinyspeech.pages.plots.words import margins, quarters, standing, templates, way

__all__ = [
    "BANK_COLORS", "DIVERGING", "FORMAT_LOOKS", "GRID", "INK", "PALE", "PALETTE", "PAPER", "accuracy_against_bits",
    "address_space", "against_noise", "architecture", "bands", "bank", "budget", "busy_over_time", "by_word",
    "byte_map", "clipping", "columns", "confusion", "conversation", "correlation", "curves", "det", "det_over",
    "differences", "dots", "drift", "endless", "envelopes", "feature_map", "fields", "frame_weights",
    "function_costs", "gallery", "gate_over", "gated_word", "grouped", "growth", "hand_over", "headroom", "heard",
    "held", "hops", "least_leads", "legend", "line", "losses", "maps", "margins", "marked", "memory_map", "operating",
    "over_zeros", "packets", "painted", "pair", "paired", "parts", "phases", "places", "plt", "png", "pruned_sizes",
    "quarters", "ram_over_time", "ranges", "region_colors", "registers", "reliability", "reports_over_time",
    "roundings", "row_fields", "runs", "same_samples", "scatter", "scores", "sequence", "shared_buffer",
    "sound_picture", "spectrogram", "spectrum", "splits", "squarified", "stack", "staircase", "standing",
    "stored_row", "style", "tall", "templates", "tiles", "tiles_and_levels", "timeline", "trade", "treemap",
    "waveform", "way", "ways", "weighed_word", "weight_maps", "window",
]
