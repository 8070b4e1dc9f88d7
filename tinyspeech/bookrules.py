"""What a stored notebook of the book must be: one function a rule, from a notebook to a list of complaints.

A notebook is the dict that its JSON holds. `python -m tinyspeech.booktools check` and tests/test_book.py apply all
of them. Whether the stored outputs are still what the cells give is not checked here but by `pytest --nbval book/`.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator
from typing import Any

Notebook = dict[str, Any]

MAX_BYTES = 400_000
MAX_WORDS = 3_000
MIN_ALT_CHARACTERS = 20
MAX_IGNORED_SHARE = 0.03
MIN_REASON_CHARACTERS = 15
MAX_CELL_LINES = {"median": 4, "p90": 12, "longest": 25}
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
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

IMAGE_TYPES = ("image/png", "image/jpeg", "image/svg+xml")


# ---------------------------------------------------------------- reading a notebook


def dumps(nb: Notebook) -> str:
    """The notebook as Jupyter itself writes it."""
    return json.dumps(nb, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def source(cell: dict[str, Any], key: str = "source") -> str:
    """A cell's text, which the format allows to be a string or a list of lines."""
    text = cell.get(key, "")
    return text if isinstance(text, str) else "".join(text)


def code_cells(nb: Notebook) -> list[dict[str, Any]]:
    """The code cells that are not empty."""
    return [c for c in nb["cells"] if c["cell_type"] == "code" and source(c).strip()]


def markdown_cells(nb: Notebook) -> list[dict[str, Any]]:
    return [c for c in nb["cells"] if c["cell_type"] == "markdown"]


def tags(cell: dict[str, Any]) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def where(cell: dict[str, Any]) -> str:
    """How a complaint names a cell: by its first line."""
    return f"cell {source(cell).strip().splitlines()[0][:50]!r}"


def data_of(output: dict[str, Any]) -> dict[str, Any]:
    """MIME type -> content; a stream's text counts as text/plain."""
    if output["output_type"] == "stream":
        return {"text/plain": source(output, "text")}
    return {k: "".join(v) if isinstance(v, list) else v for k, v in output.get("data", {}).items()}


def text_outputs(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            yield "\n".join([output["evalue"], *output["traceback"]])
        yield from (v for k, v in data_of(output).items() if k.startswith("text/"))


def figures(nb: Notebook) -> list[dict[str, Any]]:
    """The code cells with an image among their outputs."""
    return [c for c in code_cells(nb) if any(t in data_of(o) for o in c["outputs"] for t in IMAGE_TYPES)]


def read_words(markdown: str) -> list[str]:
    """The words that a reader sees: no tags, no marks, no targets of links and of roles."""
    text = re.sub(r"<!--.*?-->|^:::[^\n]*", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\{[\w:]+\}`([^`<]*)[^`]*`", r"\1", text)
    return re.sub(r"<[^>]*>|\]\([^)]*\)", " ", text).split()


def words_of(nb: Notebook) -> int:
    """How many words a chapter gives to read; its code and its outputs are not counted."""
    return sum(len(read_words(source(c))) for c in markdown_cells(nb))


# ---------------------------------------------------------------- rules


def executed_in_order(nb: Notebook) -> list[str]:
    """nbval silently compares nothing in a cell without an execution count."""
    counts = [c.get("execution_count") for c in code_cells(nb)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [
        f"execution counts are {counts}, not 1 to {len(counts)} in order: run `python -m tinyspeech.booktools execute`"
    ]


def no_stderr(nb: Notebook) -> list[str]:
    return [f"{where(c)} wrote to stderr" for c in code_cells(nb) for o in c["outputs"] if o.get("name") == "stderr"]


def no_errors(nb: Notebook) -> list[str]:
    """A failure shown on purpose carries the tag `raises-exception`, which nbval and the executor know too."""
    bad = (c for c in code_cells(nb) if "raises-exception" not in tags(c))
    return [
        f"{where(c)} stored the error {o['ename']}" for c in bad for o in c["outputs"] if o["output_type"] == "error"
    ]


def _references(state: Any) -> Iterator[str]:
    """The ids of the models that a widget's state points to, at any depth."""
    if isinstance(state, str) and state.startswith("IPY_MODEL_"):
        yield state.removeprefix("IPY_MODEL_")
    elif isinstance(state, dict):
        for value in state.values():
            yield from _references(value)
    elif isinstance(state, list):
        for value in state:
            yield from _references(value)


def shown_widgets(nb: Notebook) -> list[str]:
    views = (data_of(o).get(WIDGET_VIEW) for c in code_cells(nb) for o in c["outputs"])
    return [view["model_id"] for view in views if view]


def widget_state(nb: Notebook) -> dict[str, Any]:
    return nb.get("metadata", {}).get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})


def reachable(state: dict[str, Any], roots: list[str]) -> list[str]:
    """The ids that the roots need, in order of appearance; an id that has no state is among them."""
    seen: dict[str, None] = {}
    pending = list(roots)
    while pending:
        model = pending.pop(0)
        if model not in seen:
            seen[model] = None
            pending.extend(_references(state.get(model, {}).get("state", {})))
    return list(seen)


def widgets_whole(nb: Notebook) -> list[str]:
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


def figures_described(nb: Notebook) -> list[str]:
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
        complaints += [f"{where(cell)}: {c}" for c in images_described(source(cell))]
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


_SOURCED = re.compile(r"<!-- results:.*?-->.*?<!-- /results -->|^```.*?^```|^:\w+:.*?$|`[^`\n]*`",
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


def numbers_backed(nb: Notebook) -> list[str]:
    """A quantity in the text comes from data/results.json or from what the page itself computes."""
    cells = code_cells(nb)
    sources = "\n".join([*map(source, cells), *(text for c in cells for text in text_outputs(c))])
    return [
        f"{where(c)}: {quantity!r} has no source on the page" for c in markdown_cells(nb)
        for quantity in unbacked(source(c), sources)
    ]


def small(nb: Notebook) -> list[str]:
    size = len(dumps(nb).encode())
    return [f"{size} bytes, more than {MAX_BYTES}"] if size > MAX_BYTES else []


def few_words(nb: Notebook) -> list[str]:
    """A chapter is read in one sitting."""
    words = words_of(nb)
    return [f"{words:,} words, more than {MAX_WORDS:,}"] if words > MAX_WORDS else []


def _ignored(cell: dict[str, Any]) -> bool:
    return bool({"nbval-ignore-output", "nbval-skip"} & tags(cell)) or "NBVAL_" in source(cell)


def few_ignored(nb: Notebook) -> list[str]:
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


def cell_lines(nb: Notebook) -> list[int]:
    """Non-blank lines of each code cell, ascending."""
    return sorted(sum(bool(line.strip()) for line in source(c).splitlines()) for c in code_cells(nb)) or [0]


def shape_of(lines: list[int]) -> dict[str, float]:
    return {"median": statistics.median(lines), "p90": lines[int(0.9 * (len(lines) - 1) + 0.5)], "longest": lines[-1]}


def short_cells(nb: Notebook) -> list[str]:
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


def no_machine(nb: Notebook) -> list[str]:
    """No path, memory address or terminal of the machine that ran it, in text or in outputs."""
    texts = [(c, source(c)) for c in nb["cells"]] + [(c, t) for c in code_cells(nb) for t in text_outputs(c)]
    return [f"{where(c)}: {m.group()!r} belongs to one machine" for c, t in texts for m in [_MACHINE.search(t)] if m]


def no_progress_bars(nb: Notebook) -> list[str]:
    texts = ((c, t) for c in code_cells(nb) for t in text_outputs(c))
    return [
        f"{where(c)} printed a progress bar or a speed"
        for c, t in texts
        if "\r" in t or re.search(r"\d(?:it/s|s/it)\b", t)
    ]


def clean_metadata(nb: Notebook) -> list[str]:
    """Nothing that changes from one editor, kernel or run to the next."""
    complaints = []
    if nb["metadata"].get("kernelspec") != KERNELSPEC or nb["metadata"].get("language_info") != LANGUAGE_INFO:
        complaints.append("kernelspec or language_info differ from what `booktools execute` writes")
    extra = {k for c in nb["cells"] for k in c.get("metadata", {})} - {"tags", "mystnb", "nbval", "slideshow"}
    return complaints + [f"cell metadata {key!r} has no use here" for key in sorted(extra)]


RULES: tuple[Callable[[Notebook], list[str]], ...] = (
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


def complaints_about(nb: Notebook) -> list[str]:
    """All that is wrong with a stored notebook, one line each; empty for a good one."""
    return [f"{rule.__name__}: {complaint}" for rule in RULES for complaint in rule(nb)]
