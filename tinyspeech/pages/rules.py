"""What a stored notebook of the book must be: one function a rule, from a notebook to a list of complaints.

`python -m tinyspeech book check` and the tests apply all of them. Whether the stored outputs are still what the cells
give is not checked here but by `pytest --nbval book/`.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from pathlib import Path

from nbformat import NotebookNode

from tinyspeech.pages.notebooks import (
    IMAGE_TYPES,
    KEPT_METADATA,
    KERNELSPEC,
    LANGUAGE_INFO,
    code_cells,
    data_of,
    dumps,
    figures,
    load,
    markdown_cells,
    reachable,
    shown_widgets,
    tags,
    text_outputs,
    where,
    widget_state,
)

MAX_BYTES = 400_000
MAX_WORDS = 3_000
WORDS_A_MINUTE = 200
MINUTES_A_CELL = 0.5
"""How fast a chapter is read: slower than a story, and code slower than its words."""
MIN_ALT_CHARACTERS = 20
MAX_IGNORED_SHARE = 0.03
MIN_REASON_CHARACTERS = 15
MAX_CELL_LINES = {"median": 4, "p90": 12, "longest": 25}

WIDGET_MODULES = {"@jupyter-widgets/base", "@jupyter-widgets/controls", "@jupyter-widgets/output"}
"""The modules inside book/vendor/widgets/embed-amd.js: a widget from any other one would stay blank in the page."""

FACTS = {
    "2,048": "bytes of RAM, datasheet of the CH32V003",
    "16,384": "bytes of flash, datasheet of the CH32V003",
    "24 million": "cycles a second at the clock that the firmware sets",
    "16,000": "bytes of a second: 8,000 samples of two bytes",
    "24,000,000": "cycles a second at the clock that the firmware sets",
}
"""Numbers that prose may quote without a source beside them, and what they are."""


# ---------------------------------------------------------------- words


def read_words(markdown: str) -> list[str]:
    """The words that a reader sees: no tags, no marks, no targets of links and of roles, no picture's other words."""
    text = re.sub(r"<!--.*?-->|^:::[^\n]*|^>|!\[[^\]]*\]\([^)]*\)", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\{[\w:]+\}`([^`<]*)[^`]*`", r"\1", text)
    return re.sub(r"<[^>]*>|\]\([^)]*\)", " ", text).split()


def words_of(nb: NotebookNode) -> int:
    """How many words a chapter gives to read; its code and its outputs are not counted."""
    return sum(len(read_words(c.source)) for c in markdown_cells(nb))


def reading_minutes(nb: NotebookNode) -> int:
    """How long a chapter takes to read, in steps of five minutes: its words, and its code cells that are not folded.
    Running them, trying and exercises are not counted."""
    shown = [c for c in code_cells(nb) if "hide-cell" not in tags(c)]
    return 5 * round((words_of(nb) / WORDS_A_MINUTE + MINUTES_A_CELL * len(shown)) / 5)


# ---------------------------------------------------------------- rules


def executed_in_order(nb: NotebookNode) -> list[str]:
    """nbval silently compares nothing in a cell without an execution count."""
    counts = [c.get("execution_count") for c in code_cells(nb)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [
        f"execution counts are {counts}, not 1 to {len(counts)} in order: run `python -m tinyspeech book execute`"
    ]


def no_stderr(nb: NotebookNode) -> list[str]:
    return [f"{where(c)} wrote to stderr" for c in code_cells(nb) for o in c["outputs"] if o.get("name") == "stderr"]


def no_errors(nb: NotebookNode) -> list[str]:
    """A failure shown on purpose carries the tag `raises-exception`, which nbval and the executor know too."""
    bad = (c for c in code_cells(nb) if "raises-exception" not in tags(c))
    return [
        f"{where(c)} stored the error {o['ename']}" for c in bad for o in c["outputs"] if o["output_type"] == "error"
    ]


def widgets_whole(nb: NotebookNode) -> list[str]:
    """State that rots: a widget shown without its state, state that nothing shows, a module that the page lacks."""
    state = widget_state(nb)
    needed = reachable(state, shown_widgets(nb))
    complaints = [f"a widget is shown but its state ({m}) is not stored" for m in needed if m not in state]
    complaints += [f"state of a widget that no output shows ({m})" for m in state if m not in needed]
    for model in state.values():
        if model["model_module"] not in WIDGET_MODULES:
            complaints.append(
                f"widget module {model['model_module']} is not in book/vendor, so the page cannot show it"
            )
        for output in model.get("state", {}).get("outputs", []):
            if isinstance(output, dict) and any(t in output.get("data", {}) for t in IMAGE_TYPES):
                complaints.append(
                    "an image inside a widget has neither alt text nor caption: draw it as HTML with an aria-label"
                )
    return complaints


def figures_described(nb: NotebookNode) -> list[str]:
    """Every picture says what one would see, and every computed figure has a caption and a name to refer to."""
    complaints = []
    for cell in figures(nb):
        myst = cell.get("metadata", {}).get("mystnb", {})
        images = sum(t in data_of(o) for o in cell["outputs"] for t in IMAGE_TYPES)
        if images > 1:
            complaints.append(f"{where(cell)} draws {images} figures; one a cell, so that each has its own caption")
        if len(myst.get("image", {}).get("alt", "")) < MIN_ALT_CHARACTERS:
            complaints.append(
                f"{where(cell)} draws a figure without alt text of {MIN_ALT_CHARACTERS} characters or more"
            )
        for key in ("caption", "name"):
            if not myst.get("figure", {}).get(key, "").strip():
                complaints.append(f"{where(cell)} draws a figure without a {key}")
    for cell in markdown_cells(nb):
        complaints += [f"{where(cell)}: {c}" for c in images_described(cell.source)]
    html = (data_of(o).get("text/html", "") for c in code_cells(nb) for o in c["outputs"])
    return complaints + [c for text in html for c in images_described(text)]


def images_described(text: str) -> list[str]:
    """The same for a page's own pictures: Markdown, MyST directives, HTML."""
    directives = re.findall(r"^([`:]{3,})\{(?:figure|image)\}\s*(\S+)(.*?)^\1", text, flags=re.MULTILINE | re.DOTALL)
    found = [(name, (re.search(r"^:alt:(.*)$", body, re.MULTILINE) or ["", ""])[1]) for _, name, body in directives]
    found += [(name, alt) for alt, name in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", text)]
    tags_ = re.findall(r"<(?:img|svg)\b[^>]*>", text)
    found += [(tag[:40], (re.search(r"(?:alt|aria-label)=[\"']([^\"']*)", tag) or ["", ""])[1]) for tag in tags_]
    return [
        f"{name} needs alt text of {MIN_ALT_CHARACTERS} characters or more"
        for name, alt in found
        if len(alt.strip()) < MIN_ALT_CHARACTERS
    ]


_SOURCED = re.compile(r"<!-- results:.*?-->.*?<!-- /results -->|^```.*?^```|^:\w+:.*?$|`[^`\n]*`"
                      r"|^!\[[^\]\n]*\]\(images/way-\d\d\.svg\)$",  # the strip's words, which way.py writes
                      re.DOTALL | re.MULTILINE)
_QUANTITY = re.compile(
    r"(?<![\w.,])(?P<number>\d[\d,]*(?:\.\d+)?)(?P<scale>[ \u00a0](?:k|M|million))?[ \u00a0-]?"
    r"(?:%|per cent\b|percentage points?\b|points?\b|bytes?\b|B\b|kB\b|KB\b|cycles?\b)"
)


def unbacked(text: str, sources: str = "") -> list[str]:
    """The percentages, byte counts and cycle counts in Markdown that have no source: a mark that is renumbered from
    data/results.json, a work that the paragraph cites, `sources` (the code and the outputs beside them) or `FACTS`.
    What is set as code is not prose."""
    text = "\n\n".join(part for part in text.split("\n\n") if "{cite:" not in part)
    terms = re.sub(r"\{\w+\}`([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", text)  # {term}`cycles <cycle>` reads "cycles"
    known = set(re.findall(r"\d+(?:\.\d+)?", sources.replace(",", "")))
    found = []
    for match in _QUANTITY.finditer(_SOURCED.sub(" ", terms)):
        number, plain = match["number"], match["number"].replace(",", "").rstrip(".")
        share = f"{float(plain) / 100:g}" if match[0].endswith("%") else plain
        if not {plain, share} & known and number + (match["scale"] or "") not in FACTS:
            found.append(match[0])
    return found


def numbers_backed(nb: NotebookNode) -> list[str]:
    """A quantity in the text comes from data/results.json or from what the page itself computes."""
    cells = code_cells(nb)
    sources = "\n".join([*(c.source for c in cells), *(text for c in cells for text in text_outputs(c))])
    return [
        f"{where(c)}: {quantity!r} has no source on the page" for c in markdown_cells(nb)
        for quantity in unbacked(c.source, sources)
    ]


def small(nb: NotebookNode) -> list[str]:
    size = len(dumps(nb).encode())
    return [f"{size} bytes, more than {MAX_BYTES}"] if size > MAX_BYTES else []


def few_words(nb: NotebookNode) -> list[str]:
    """A chapter is read in one sitting."""
    words = words_of(nb)
    return [f"{words:,} words, more than {MAX_WORDS:,}"] if words > MAX_WORDS else []


def _ignored(cell: NotebookNode) -> bool:
    return bool({"nbval-ignore-output", "nbval-skip"} & tags(cell)) or "NBVAL_" in cell.source


def few_ignored(nb: NotebookNode) -> list[str]:
    """A cell whose output nbval does not compare says why, in its metadata: {"nbval": {"reason": "..."}}."""
    cells = code_cells(nb)
    ignored = [c for c in cells if _ignored(c)]
    reasons = ((c, str(c["metadata"].get("nbval", {}).get("reason", ""))) for c in ignored)
    complaints = [
        f"{where(c)} is not compared and gives no reason" for c, r in reasons if len(r) < MIN_REASON_CHARACTERS
    ]
    if len(ignored) > MAX_IGNORED_SHARE * len(cells):
        complaints.append(f"{len(ignored)} of {len(cells)} cells are not compared, more than {MAX_IGNORED_SHARE:.0%}")
    return complaints


def cell_lines(nb: NotebookNode) -> list[int]:
    """Lines of each code cell, ascending. Neither blank lines count nor where our own names come from: a step of
    thought is as long in a deep house as in a flat one."""
    ours = re.compile(r"\s*from tinyspeech[\w.]* import ")
    return sorted(sum(bool(line.strip()) and not ours.match(line) for line in c.source.splitlines())
                  for c in code_cells(nb)) or [0]


def shape_of(lines: list[int]) -> dict[str, float]:
    return {"median": statistics.median(lines), "p90": lines[int(0.9 * (len(lines) - 1) + 0.5)], "longest": lines[-1]}


def short_cells(nb: NotebookNode) -> list[str]:
    shape = shape_of(cell_lines(nb))
    return [
        f"cells are too long: {key} {shape[key]:g} lines, at most {top}"
        for key, top in MAX_CELL_LINES.items()
        if shape[key] > top
    ]


_MACHINE = re.compile(
    # a path of one machine, a memory address, a terminal, a kernel's temporary file
    r"(?<![\w.:/~-])/(?:home|Users|root|tmp|work|usr|var|opt|mnt|private|content|workspace)/[\w.~-]+"
    r"|\b[A-Z]:\\\\?\w+|\bat 0x[0-9a-fA-F]{6,}|/dev/pts/\d+|<ipython-input|/ipykernel_\d+"
)


def no_machine(nb: NotebookNode) -> list[str]:
    """No path, memory address or terminal of the machine that ran it, in text or in outputs."""
    texts = [(c, c.source) for c in nb["cells"]] + [(c, t) for c in code_cells(nb) for t in text_outputs(c)]
    return [f"{where(c)}: {m.group()!r} belongs to one machine" for c, t in texts for m in [_MACHINE.search(t)] if m]


def no_progress_bars(nb: NotebookNode) -> list[str]:
    texts = ((c, t) for c in code_cells(nb) for t in text_outputs(c))
    return [
        f"{where(c)} printed a progress bar or a speed"
        for c, t in texts
        if "\r" in t or re.search(r"\d(?:it/s|s/it)\b", t)
    ]


def clean_metadata(nb: NotebookNode) -> list[str]:
    """Nothing that changes from one editor, kernel or run to the next."""
    complaints = []
    if nb["metadata"].get("kernelspec") != KERNELSPEC or nb["metadata"].get("language_info") != LANGUAGE_INFO:
        complaints.append("kernelspec or language_info differ from what `python -m tinyspeech book execute` writes")
    extra = {k for c in nb["cells"] for k in c.get("metadata", {})} - set(KEPT_METADATA)
    return complaints + [f"cell metadata {key!r} has no use here" for key in sorted(extra)]


RULES: tuple[Callable[[NotebookNode], list[str]], ...] = (
    executed_in_order,
    no_stderr,
    no_errors,
    widgets_whole,
    figures_described,
    numbers_backed,
    small,
    few_words,
    few_ignored,
    short_cells,
    no_machine,
    no_progress_bars,
    clean_metadata,
)


def complaints_about(nb: NotebookNode) -> list[str]:
    """All that is wrong with a stored notebook, one line each; empty for a good one."""
    return [f"{rule.__name__}: {complaint}" for rule in RULES for complaint in rule(nb)]


def report(path: Path) -> tuple[str, list[str]]:
    """A stored notebook in one line of numbers, and all that is wrong with it. `UserError` where the file is none."""
    nb = load(path)
    lines = ", ".join(f"{name} {value:g}" for name, value in shape_of(cell_lines(nb)).items())
    kilobytes = path.stat().st_size / 1000
    text = (f"{path.name}: {len(code_cells(nb))} code cells (lines: {lines}), {words_of(nb)} words, "
            f"{len(figures(nb))} computed figures, {kilobytes:.0f} kB")
    return text, complaints_about(nb)
