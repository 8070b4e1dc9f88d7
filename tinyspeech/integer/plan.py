"""Where everything lives in 2,048 bytes of RAM: slots, histories, the work buffer (chapters 10 and 13)."""

from __future__ import annotations

import math
from typing import TypedDict

from tinyspeech.errors import UserError
from tinyspeech.integer.frontend import WINDOW
from tinyspeech.integer.network import SLOTS, IntegerModel, Layer

WORK_BYTES = 2 * WINDOW
"""The firmware's one work buffer: the transform's int16 samples, then the network's sums and slots."""

TABLE_BYTES = 64
"""What `kernel_dense_pair` needs beside its sums: those of 16 subsets."""


def _live(model: IntegerModel) -> dict[str, range]:
    """{slot: the layers, by number, from its first use to its last}; of those that are used."""
    live = {"stream": range(1)}
    for i, layer in enumerate(model.layers):
        gate = {"pooled"} if layer.kind in ("gated_add", "weighed_classifier") else set()
        for slot in {layer.source, layer.target} | gate:
            live[slot] = range(live.get(slot, range(i, i)).start, i + 1)
    return live


def _places(sizes: dict[str, int], live: dict[str, range]) -> dict[str, int]:
    """{slot: offset}, side by side; but two that are never live at once, as far as is known, may share a place."""
    places: dict[str, int] = {}
    for slot, size in sizes.items():
        taken = [range(at, at + sizes[other]) for other, at in places.items()
                 if not {slot, other} <= live.keys() or set(live[slot]) & set(live[other])]
        places[slot] = min(at for at in (0, *(other.stop for other in taken))
                           if all(at >= other.stop or at + size <= other.start for other in taken))
    return places


class MemoryPlan(TypedDict):
    """Where a network's numbers are on the chip, in bytes, and how its frames are computed. All is aligned to 4 but the
    histories, which are read byte by byte: each ends where the next one begins."""

    slots: dict[str, int]
    """{slot: offset}."""
    slot_bytes: int
    """From one frame's slots to the next frame's."""
    state: dict[str, int]
    """{layer: offset of its history, or of its means}."""
    state_bytes: int
    widest: int
    """Outputs of the widest layer, whose sums stand before the slots."""
    window: int
    """Offset, from the slots, of the frames that a dense layer sees together."""
    scratch_bytes: int
    """Sums, slots and windows together, of `WORK_BYTES`."""
    paired: int
    """1: two frames share each weight that is read."""
    batch: int
    """Frames that are computed together."""
    front: int
    """Layers up to the last stride."""
    front_bytes: int
    """Of slots that these use."""
    cut: int
    """The layer with which a batch goes on a frame later."""
    held_bytes: int
    """Of slots that are kept until then."""


def memory_plan(model: IntegerModel) -> MemoryPlan:
    """Slots side by side, histories one after another, and frames in pairs where there is room for them."""
    sizes = dict.fromkeys(SLOTS, 0)
    sizes["stream"] = model.inputs
    width, state, state_bytes, widest, window = {"stream": model.inputs}, {}, 0, 0, 0
    for layer in model.layers:
        inputs = width[layer.source]
        state[layer.name] = state_bytes
        state_bytes += (2 if layer.kind == "leak" else layer.kernel - 1) * inputs  # a mean is int16
        if layer.weight is not None:
            widest = max(widest, len(layer.weight))
            if layer.kind == "dense" and layer.kernel > 1:
                window = max(window, -(-(layer.kernel + 1) * inputs // 4) * 4)  # two frames' windows overlap
        if not layer.kind.endswith("classifier"):
            width[layer.target] = layer.width(inputs)
            sizes[layer.target] = max(sizes[layer.target], -(-width[layer.target] // 4) * 4)
    leaks = any(layer.kind == "leak" for layer in model.layers)  # its slot is twice as wide, and takes a free place
    slots = _places(sizes, _live(model) if leaks else {})
    slot_bytes = max(slots[slot] + size for slot, size in sizes.items())
    front = max((i + 1 for i, layer in enumerate(model.layers) if layer.stride > 1), default=0)
    plan = {"slots": slots, "state": state, "state_bytes": max(state_bytes, 4), "widest": widest, "front": front}
    stride = math.prod(layer.stride for layer in model.layers)
    too_large = any(row.accumulator >= 1 << 15 for row in model.worst())  # for two sums in one word
    if stride <= 2 and not too_large:
        used = {slot for layer in model.layers[:front] for slot in (layer.source, layer.target)}
        used |= {"pooled" for layer in model.layers[:front] if layer.kind == "gated_add"}
        front_bytes = max((slots[slot] + sizes[slot] for slot in used), default=0)
        # in the front: a frame that has come through it and two that are in it; the table among the second's rest
        pair_bytes = max(slot_bytes, front_bytes + TABLE_BYTES) if front else slot_bytes
        at, end = front_bytes, 2 * pair_bytes + max(front_bytes, TABLE_BYTES)
        if front_bytes + window > pair_bytes or any(x.kernel > 1 and x.kind == "dense" for x in model.layers[front:]):
            at, end = end, end + window  # not among the first's
        if 4 * widest + end <= WORK_BYTES:
            cut, held_bytes = _cut(model, front)
            return {**plan, "paired": 1, "batch": 2 * stride, "cut": cut, "held_bytes": held_bytes,
                    "slot_bytes": pair_bytes, "front_bytes": front_bytes, "window": at,
                    "scratch_bytes": 4 * widest + end}
    return {**plan, "paired": 0, "batch": 1, "cut": len(model.layers), "held_bytes": 4, "slot_bytes": slot_bytes,
            "front_bytes": 0, "window": slot_bytes, "scratch_bytes": 4 * widest + slot_bytes + window}


def _cut(model: IntegerModel, front: int) -> tuple[int, int]:
    """The layer with which a batch is best cut in two, and the bytes of its slots that are needed from there on.

    Cuts are where only slot `stream` is read again, the first one: of these, where the larger half has the fewest
    multiply-accumulates. A network without such a place is cut behind its last layer: (layers, 4).
    """
    work = [2 * (layer.weight.size if layer.weight is not None else 0) for layer in model.layers]
    work[:front] = [2 * macs for macs in work[:front]]  # the front runs on both pairs
    best, width = (sum(work), len(model.layers), 4), {"stream": model.inputs}
    for n, layer in enumerate(model.layers):
        width[layer.target] = layer.width(width[layer.source])
        if n + 1 > front and _read_again(model.layers[n + 1 :]) == {"stream"}:
            best = min(best, (max(sum(work[: n + 1]), sum(work[n + 1 :])), n + 1, -(-width["stream"] // 4) * 4))
    return best[1:]


def _read_again(layers: list[Layer]) -> set[str]:
    """Slots whose values these layers read before they write them."""
    read: set[str] = set()
    for layer in reversed(layers):
        read.discard(layer.target)
        read.add(layer.source)
        if layer.kind in ("add", "gated_add"):
            read.add(layer.target)
        if layer.kind in ("gated_add", "weighed_classifier"):
            read.add("pooled")
    return read


def tenants(model: IntegerModel) -> dict[str, list[tuple[int, int, str]]]:
    """Who has which bytes of the firmware's work buffer, (start, end, name), at three moments: while the transform
    works in it, while a second pair of frames is before the last stride, and behind it (chapter 10).

    Raises `UserError` for a network whose frames are not computed in pairs.
    """
    plan = memory_plan(model)
    if not plan["paired"] or not plan["front"]:
        raise UserError(f"{model.name} does not compute pairs of frames on both sides of a stride")
    sums, front, pair = 4 * plan["widest"], plan["front_bytes"], plan["slot_bytes"]
    stem, first, second = sums + plan["window"], sums + pair, sums + 2 * pair
    seen = (model.layers[0].kernel + 1) * model.inputs
    return {
        "transform": [(0, WORK_BYTES, "samples, then spectrum")],
        "before the stride": [
            (0, sums, "sums"), (sums, sums + front, "left by the pair before"),
            (stem, stem + seen, "window of the first layer"),
            (first, first + front, "first frame"), (first + front, first + front + TABLE_BYTES, "kernel's table"),
            (second, second + front, "second frame")],
        "behind it": [(0, sums, "sums"), (sums, first, "first frame"), (first, second, "second frame"),
                      (second, second + TABLE_BYTES, "kernel's table")],
    }
