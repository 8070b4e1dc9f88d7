"""The book's notebooks as files: read, looked into, run from top to bottom, and stored with clean metadata.

What a stored notebook must be is in `rules.py`; whether its outputs are still what its cells give is not checked here,
but by `pytest --nbval book/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from tinyspeech.errors import UserError

CELL_TIMEOUT_S = 120
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python", "pygments_lexer": "ipython3"}
KEPT_METADATA = ("tags", "mystnb", "nbval", "slideshow", "jupyter")
"""What a cell's metadata may hold."""
FOLDED = {"source_hidden": True, "outputs_hidden": True}
"""What JupyterLab reads of a cell that the built page folds, as a solution: it folds it, too."""

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
IMAGE_TYPES = ("image/png", "image/jpeg", "image/svg+xml")

# ---------------------------------------------------------------- files


def load(path: Path) -> NotebookNode:
    """A notebook as Jupyter reads it; a file that is none raises `UserError`."""
    try:
        nb = nbformat.read(path, as_version=4)
        nbformat.validate(nb)
    except FileNotFoundError:
        raise UserError(f"{path}: no such notebook") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, AttributeError, LookupError, nbformat.ValidationError) as error:  # any other JSON
        raise UserError(f"{path}: not a notebook ({str(error).splitlines()[0]})") from None
    return nb


def dumps(nb: NotebookNode) -> str:
    """The text of a notebook's file, as Jupyter writes it."""
    return nbformat.writes(nb) + "\n"


# ---------------------------------------------------------------- what is in them


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    """The code cells that are not empty."""
    return [c for c in nb["cells"] if c["cell_type"] == "code" and c.source.strip()]


def markdown_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [c for c in nb["cells"] if c["cell_type"] == "markdown"]


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.get("metadata", {}).get("tags", []))


def where(cell: NotebookNode) -> str:
    """How a complaint names a cell: by its first line."""
    return f"cell {cell.source.strip().splitlines()[0][:50]!r}"


def data_of(output: NotebookNode) -> dict[str, Any]:
    """MIME type -> content; a stream's text counts as text/plain."""
    if output["output_type"] == "stream":
        return {"text/plain": output.text}
    return output.get("data", {})


def text_outputs(cell: NotebookNode) -> Iterator[str]:
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            yield "\n".join([output["evalue"], *output["traceback"]])
        yield from (v for k, v in data_of(output).items() if k.startswith("text/"))


def figures(nb: NotebookNode) -> list[NotebookNode]:
    """The code cells with an image among their outputs."""
    return [c for c in code_cells(nb) if any(t in data_of(o) for o in c["outputs"] for t in IMAGE_TYPES)]


def shown_widgets(nb: NotebookNode) -> list[str]:
    views = (data_of(o).get(WIDGET_VIEW) for c in code_cells(nb) for o in c["outputs"])
    return [view["model_id"] for view in views if view]


def widget_state(nb: NotebookNode) -> dict[str, Any]:
    return nb.get("metadata", {}).get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})


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


# ---------------------------------------------------------------- running


def clean(nb: NotebookNode) -> NotebookNode:
    """A notebook without what differs between two runs: widget ids, tracebacks' paths, versions, editors' traces.

    nb : of no use afterwards
    """
    for cell in nb["cells"]:
        cell["metadata"] = {k: v for k, v in cell.get("metadata", {}).items() if k in KEPT_METADATA and k != "jupyter"}
        if "hide-cell" in tags(cell):
            cell["metadata"]["jupyter"] = FOLDED
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                output["traceback"] = [f"{output['ename']}: {output['evalue']}"]
    state = widget_state(nb)
    shown = [m for m in reachable(state, shown_widgets(nb)) if m in state]
    nb["metadata"] = {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}
    if not shown:
        return nb
    for model in shown:
        if "msg_id" in state[model]["state"]:
            state[model]["state"]["msg_id"] = ""
    nb["metadata"]["widgets"] = {
        WIDGET_STATE: {"state": {m: state[m] for m in shown}, "version_major": 2, "version_minor": 0}
    }
    text = json.dumps(nb)
    for number, model in enumerate(shown, start=1):
        text = text.replace(model, f"widget{number:04d}")
    return nbformat.from_dict(json.loads(text))


class ThisEnvironment(KernelSpecManager):
    """Whatever kernels the user has installed: the one that runs is this Python."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def execute(path: Path) -> None:
    """Run a notebook from top to bottom in a fresh kernel of this very environment and store its outputs.

    Raises
    ------
    UserError
        A cell failed that is not tagged `raises-exception`; the stored notebook is left as it was.
    """
    nb = load(path)
    client = NotebookClient(
        nb,
        timeout=CELL_TIMEOUT_S,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.create_kernel_manager().kernel_spec_manager = ThisEnvironment()
    try:
        client.execute()
    except CellExecutionError as error:
        raise UserError(f"{path.name}: {error}") from None
    path.write_text(dumps(clean(nb)), encoding="utf-8")
