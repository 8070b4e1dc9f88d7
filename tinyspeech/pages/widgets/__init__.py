"""Interactive parts of the book, by topic, made to stay alive in the static page: no kernel answers there.

What can be moved is computed beforehand, one page for each position of a slider, and the browser alone turns the pages;
or it is a script with its data. Drawings are HTML with a description for readers who cannot see them.

    from tinyspeech.pages import widgets
    widgets.flip_book([widgets.bars(shares, CLASSES) for shares in answers], labels, "clip")

| topic | what is in it |
| --- | --- |
| `sliders` | pages of HTML behind one slider, or behind several |
| `players` | sounds |
| `features` | a mel band over a spectrum, curves side by side |
| `networks` | scores, a threshold on them, a condenser to paint on |
| `lowbit` | accuracy and size by mode and bits |
| `costs` | against a limit, by format, as a race |
| `memory` | RAM byte by byte |
| `chip` | the emulated chip itself |
| `board` | a flashing session |
| `flashing` | a board that is flashed from the page |
| `hours` | reports in hours of sound, under a threshold |
| `listings` | a function in Python and in C, line by line |
| `live` | the emulated board, hearing the reader's microphone |
| `words` | in what a taught word is heard, under a threshold |
| `markup` | how templates, scripts and the style sheet become HTML |
"""

from tinyspeech.pages.widgets.board import bank_drawing, flashing_explorer, flashing_memory, flashing_page
from tinyspeech.pages.widgets.chip import chip_page, chip_program
from tinyspeech.pages.widgets.costs import RACE_MS, RACE_PLACES, cost_page, cycle_race, formats_page, race_page
from tinyspeech.pages.widgets.features import band_page, panels
from tinyspeech.pages.widgets.flashing import flash_panel
from tinyspeech.pages.widgets.hours import timeline_page
from tinyspeech.pages.widgets.listings import beside, lines_of_c
from tinyspeech.pages.widgets.live import live_page
from tinyspeech.pages.widgets.lowbit import bits_explorer, bits_page
from tinyspeech.pages.widgets.memory import byte_page, ram_film
from tinyspeech.pages.widgets.networks import bars, gate_painter, rejection_book, rejection_page
from tinyspeech.pages.widgets.players import player, small_sound, sound
from tinyspeech.pages.widgets.sliders import explorer, flip_book
from tinyspeech.pages.widgets.words import threshold_page

__all__ = [
    "RACE_MS", "RACE_PLACES", "band_page", "bank_drawing", "bars", "beside", "bits_explorer", "bits_page", "byte_page",
    "chip_page", "chip_program", "cost_page", "cycle_race", "explorer", "flash_panel", "flashing_explorer",
    "flashing_memory", "flashing_page", "flip_book", "formats_page", "gate_painter", "lines_of_c", "live_page",
    "panels", "player", "race_page", "ram_film", "rejection_book", "rejection_page", "small_sound", "sound",
    "threshold_page", "timeline_page",
]
