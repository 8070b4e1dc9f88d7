"""Which figure of data/results.json is whose: what measures it, on what data, and the one command that makes it again.

    from tinyspeech.measure import registry
    registry.command_of("tinyspeech_s.macs")     # python -m tinyspeech measure --only tinyspeech_s.macs
    for key, entry in registry.make(["tinyspeech_s.macs"]): ...

Figures that are measured together form a group; `make` records those that were asked for, and no other.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tinyspeech.errors import UserError
from tinyspeech.measure import bits, experiments, store
from tinyspeech.measure.figures import (
    condensers,
    corpus,
    firmware,
    frontend,
    hours,
    language,
    levers,
    listening,
    network,
    robustness,
    training,
    words,
)
from tinyspeech.measure.store import Figure
from tinyspeech.networks.family import FAMILY
from tinyspeech.paths import SHIPPED, TEACHES_ITSELF
from tinyspeech.sound import datasets

PAPERS_SMALLEST = "tinyspeech_z"
MODELS = (SHIPPED, PAPERS_SMALLEST, TEACHES_ITSELF)
"""Networks of which everything is measured: the one that ships, the paper's smallest on the chip (chapter 6), and the
one that leaves room for the board to teach itself words (chapter 12)."""
TESTED = (SHIPPED, "tinyspeech_xs", PAPERS_SMALLEST)
"""Networks whose accuracy on the official test set is published, once whoever keeps the set has taken it."""
FLAGS = {"speech": "--speech FOLDER", "logmel": "--logmel FILE", "negatives": "--negatives FOLDER",
         "noise": "--noise FOLDER", "rooms": "--rooms FOLDER", "takes": "--takes FOLDER", "music": "--music FOLDER",
         "test_set": "--test-set FOLDER"}
"""Data that a group may need, and how the command line names it."""


@dataclass(frozen=True)
class Group:
    """Figures that are measured together."""

    keys: tuple[str, ...]
    measure: Callable[..., Iterator[Figure]]
    needs: tuple[str, ...] = ()
    """Of `FLAGS`: what `measure` takes, by these names."""
    cheap: bool = False
    """Seconds, and the same value on every computer: a test makes them again."""
    long: bool = False
    """Many minutes of training, or hours of listening: only where it is asked for by name."""
    once: bool = False
    """On the official test set, for a finished network: only where it is asked for by name, too."""


BY_HAND = {
    "tinyspeech_t.music": "the recordings of at least 15 s in these packages, as `apt-get download` and `dpkg-deb -x` "
                          "give them, counted",
    "setup.downloads": "python -m pip download --no-deps --only-binary=:all: -d FOLDER -r requirements.txt; "
                       "python -m pip wheel --no-deps -w FOLDER ., the files' sizes summed",
    "frontend.attempts": "python -m tinyspeech bench, after each change",
    "frontend.attempts_24_mhz": "python -m tinyspeech bench, after the change",
    "frontend.attempts_offset": "evaluate with the front end changed",
    "frontend.attempts_optimisation": "python -m tinyspeech bench, with either flag",
    "hours.before": "python -m tinyspeech measure --only hours.false_per_hour hours.keywords hours.det, when it had "
                    "learned clips alone",
    "official_test.before": "python -m tinyspeech measure --only tinyspeech_z_causal.official_test --test-set FOLDER, "
                            "of a network that was replaced",
}
"""How they were measured: figures of sources that are no longer there, which nothing makes again; and what an index of
packages has to be asked."""


def named(name: str, *parts: str) -> tuple[str, ...]:
    """`name.part` for each."""
    return tuple(f"{name}.{part}" for part in parts)


def of_network(model: str) -> list[Group]:
    """What is measured of every network in `MODELS`."""
    firmware_name = "firmware" if model == SHIPPED else f"{model}.firmware"
    both = ("speech", "logmel")
    gated = [Group(named(model, "condensers_disconnected"), partial(condensers.disconnected, model), both)]
    return [
        Group(named(model, "accuracy_float_logmel", "accuracy_fake_logmel", "accuracy_int_logmel",
                    "mismatches_fake_int_argmax"), partial(network.on_pictures, model), both),
        Group(named(model, "accuracy_float_keywords_training", "accuracy_float_keywords_validation"),
              partial(network.keywords_by_split, model), both),
        Group(named(model, *(f"accuracy_{name}_validation" for name in ("float", "fake", "int", "c")),
                    "confusion_validation"), partial(network.on_recordings, model), ("speech",)),
        Group(named(model, *(f"mismatches_int_{name}_{what}" for name in ("c", "chip")
                             for what in ("features", "logits")), "accuracy_chip_validation", "clips_per_second_chip",
                    "cycles_per_clip_max"), partial(network.engines_compared, model), ("speech",)),
        Group(named(model, "weights", "zeros_dense", "parameters", "macs", "state_bytes", "scratch_bytes"),
              partial(network.counts, model), cheap=True),
        Group(named(firmware_name, "flash_bytes", "data_bytes", "bss_bytes", "stack_bytes", "sha256", "ram_bytes",
                    "cycles_per_audio_second", "duty", "cycles_per_mac"), partial(firmware.costs, model), cheap=True),
        *(gated if condensers.has_gates(model) else []),
    ]


def of_frontend() -> list[Group]:
    """Chapter 8's."""
    return [
        Group(("frontend.mismatches_c_windows",), frontend.against_c, cheap=True),
        Group(named("frontend", "mismatches_c_clips", "accuracy_float_features_all_clips",
                    "accuracy_integer_features_all_clips", "rmse_to_float", "correlation_with_float"),
              frontend.on_every_clip, ("speech",)),
        Group(named("frontend", "rmse_to_logmel_set", "accuracy_same_takes_recordings",
                    "accuracy_same_takes_logmel"), frontend.against_pictures, ("speech", "logmel")),
        Group(named("frontend", "accuracy_float_network_float_features", "accuracy_float_network_integer_features"),
              frontend.on_validation, ("speech",)),
        Group(named("frontend", "cycles_per_audio_second", "flash_bytes", "ram_bytes"), frontend.costs, cheap=True),
        Group(("frontend.mismatches_chip_clips",), frontend.on_chip, ("speech",)),
        Group(named("frontend", "attempts_twiddle_bits", "attempts_ramp_bits", "attempts_log2"), frontend.precision,
              ("speech",)),
        Group(named("frontend", *(f"robustness_{what}" for what in (
            "gain", "offset", "gain_offset", "hum_50", "hum_60", "clipping"))), robustness.microphone, ("speech",)),
    ]


def of_hours() -> list[Group]:
    """Chapter 11's."""
    return [
        Group(named("hours", "false_per_hour", "by_corpus", "by_word", "armed", "by_level"), hours.in_speech,
              ("negatives",)),
        Group(named("hours", "noise_per_hour", "noise_by_kind", "all_noise_by_kind"), hours.in_noise, ("noise",)),
        Group(("hours.music_per_hour",), hours.in_music, ("music",)),
        Group((f"{TEACHES_ITSELF}.hours",), partial(hours.another, TEACHES_ITSELF),
              ("speech", "negatives", "noise", "rooms", "music")),
        Group((f"{PAPERS_SMALLEST}.hours",), partial(hours.another, PAPERS_SMALLEST),
              ("speech", "negatives", "noise", "rooms")),
        Group(named("hours", "keywords", "det"), hours.heard, ("speech", "noise", "rooms", "negatives")),
        Group(("hours.choice", "hours.chosen"), hours.choice, ("speech", "noise", "rooms", "negatives")),
        Group(("hours.rules",), hours.rules_compared, ("speech", "noise", "rooms", "negatives")),
        Group(("hours.standing_out",), hours.standing_out, ("speech", "noise", "rooms", "music")),
        Group(("hours.other_music",), hours.in_other_music, ("music",), long=True),
        Group(("hours.levers",), levers.levers, ("speech", "logmel", "negatives", "noise", "rooms"), long=True),
        Group(("hours.mismatches",), hours.on_board, ("negatives",)),
        Group((f"{SHIPPED}.accuracy_int_noise_by_kind",), hours.accuracy_by_kind, ("speech", "noise")),
    ]


def of_words() -> list[Group]:
    """Of words that are taught."""
    needs = ("takes", "noise", "negatives")
    return [Group(("words.tried",), words.tried, needs),
            Group(named("words", "development", "owner_closed", "owner", "by_takes", "anyone", "warping"),
                  words.measured, needs),
            Group((f"{TEACHES_ITSELF}.words",), words.narrower, needs),
            Group(("words.published",), words.published, ("logmel", "takes"))]


def of_language() -> list[Group]:
    """Of networks for another language."""
    return [group for model in language.MODELS for group in (
        Group(named(model, "accuracy_int_validation", "per_class_validation", "confusion_validation",
                    "mismatches_int_c", "mismatches_int_chip"), partial(language.on_takes, model), ("takes", "noise")),
        Group(named(model, "keywords", "board"), partial(language.in_a_row, model), ("takes", "noise")),
        Group(named(model, "false_per_hour"), partial(language.in_speech, model), ("negatives",)))]


def of_rest() -> list[Group]:
    """Noise and confidence, listening, pruning, compilers, this computer's speed."""
    return [
        Group(named(SHIPPED, *(f"accuracy_int_{noise}_{by}" for noise in ("noise", "other_noise")
                               for by in ("validation", "by_recording"))), robustness.in_noise, ("speech",)),
        Group(named(SHIPPED, "interval_95_int_validation", "calibration_error_validation", "rejection_validation",
                    "rejection_by_margin_validation"), robustness.confidence, ("speech",)),
        Group(named("live", "accuracy_int16_validation", "accuracy_mulaw_validation", "answers_changed_by_mulaw"),
              listening.through_mulaw, ("speech",)),
        Group(named("live", "seconds", "detected", "false", "latency_median", "latency_p95", "latency_p99",
                    "latency_worst", "latency_within_250_ms", "latency_soft_worst", "latency_soft_within_250_ms",
                    "lost_samples", "mismatches", "cycles_per_second", "duty", "milliamps", "milliwatts",
                    "battery_hours", "asleep", "longest_burst", "ram_bytes", "stack_bytes"),
              listening.on_board, ("speech",)),
        Group(tuple(f"{name}.parameters" for name in FAMILY), network.family, cheap=True),
        Group(("improved.condensers",), condensers.alone, ("speech", "logmel")),
        Group(("pruning.one_shot",), network.one_shot, ("speech", "logmel")),
        Group(("pruning.formats",), firmware.formats_of_layers),
        Group(("pruning.clip",), firmware.formats_of_clip),
        Group(("firmware.compilers",), firmware.compilers),
        Group(("firmware.endurance",), firmware.endured, ("negatives",), long=True),
        Group(("chip.mips",), firmware.interpreter),
        Group((f"{training.CLIPS}.accuracy_two_threads",), training.two_threads, ("speech", "logmel"), long=True),
        Group((f"{training.CLIPS}.seconds_per_epoch",), training.seconds, ("speech", "logmel")),
        Group(("data.pictures",), corpus.pictures, ("logmel",)),
        Group(("data.recordings",), corpus.recordings, ("speech",)),
        Group(named("reproduce", "trained_on", "front_end"), corpus.trained_on_either, ("speech", "logmel"),
              long=True),
        Group(("reproduce.commands",), training.commands, ("speech",)),
        Group(("reproduce.minutes",), training.minutes, cheap=True),
    ]


def of_test_set() -> list[Group]:
    """Networks that are finished, on the official test set."""
    return [Group((f"{model}.official_test",), partial(network.on_test_set, model), ("test_set",), once=True)
            for model in TESTED]


def of_experiments() -> list[Group]:
    """A group for each of data/experiments.yaml, and data/bits.yaml."""
    rows = [Group((experiments.key_of(name),), partial(experiments.measure, only=[name]), ("speech", "logmel"),
                  long=True) for name in experiments.groups()]
    return [*rows, Group((bits.KEY,), bits.measure, ("speech", "logmel"), long=True)]


@cache
def groups() -> tuple[Group, ...]:
    """Every group, in the order in which `measure all` goes through them: what reads other figures comes last."""
    return (*(group for model in MODELS for group in of_network(model)), *of_frontend(), *of_experiments(), *of_hours(),
            *of_words(), *of_language(), *of_test_set(), *of_rest())


@cache
def by_key() -> dict[str, Group]:
    """{key: its group}; no key is of two."""
    found: dict[str, Group] = {}
    for group in groups():
        for key in group.keys:
            if key in found or key in BY_HAND:
                raise AssertionError(f"{key} is measured in two ways")
            found[key] = group
    return found


def group_of(key: str) -> Group:
    """The group that a figure belongs to; `UserError` where nothing makes it."""
    if key in BY_HAND:
        raise UserError(f"{key} is history, of sources that are no longer there: nothing makes it again")
    if key not in by_key():
        near = difflib.get_close_matches(key, by_key(), 3)
        raise UserError(f"no figure {key}" + (f"; do you mean {' or '.join(near)}?" if near else
                                              ": their names are the keys of data/results.json"))
    return by_key()[key]


def command_of(key: str) -> str:
    """The command that makes a figure, and no other, again."""
    if key in BY_HAND:
        return BY_HAND[key]
    return " ".join(("python -m tinyspeech measure --only", key, *(FLAGS[need] for need in group_of(key).needs)))


def names(long: bool = False, given: Iterable[str] = FLAGS) -> list[str]:
    """Every figure that can be made of the data `given`, without those that take long unless `long`, and
    without the official test set's."""
    there = set(given)
    return [key for group in groups() if (long or not group.long) and not group.once and there >= set(group.needs)
            for key in group.keys]


def record(figures: Iterable[Figure], wanted: Iterable[str]) -> Iterator[tuple[str, dict]]:
    """Write down the figures that are wanted, each as soon as it is there; yields (key, what was recorded)."""
    wanted = set(wanted)
    for figure in figures:
        if figure.key in wanted:
            store.record(figure.key, figure.value, figure.unit, **figure.about, command=command_of(figure.key))
            yield figure.key, store.load()[figure.key]


def make(keys: Iterable[str], speech: Path | None = None, logmel: Path | None = None,
         negatives: Sequence[Path] | None = None, noise: Path | None = None,
         rooms: Path | None = None, takes: Path | None = None, music: Path | None = None,
         test_set: Path | None = None) -> Iterator[tuple[str, dict]]:
    """Measure figures and record them, and no other; yields (key, what was recorded), each as soon as it is there.

    keys : of data/results.json
    speech : folder in Speech Commands layout, where one of them needs it
    logmel : the log-mel set, or such a folder, where one needs it
    negatives, noise, rooms : folders of running speech, of noise and of impulse responses, where one needs them
    takes : a folder of takes of words by several people, where one needs it
    music : a folder of music, where one needs it
    test_set : the official test set, where one needs it

    Raises `UserError`, before anything is measured, for a figure that nothing makes, and for data that is not there.
    """
    wanted, given = list(dict.fromkeys(keys)), {"speech": speech, "logmel": logmel, "negatives": negatives,
                                               "noise": noise, "rooms": rooms,
                                               "takes": takes, "music": music, "test_set": test_set}
    for key in wanted:
        missing = [FLAGS[need] for need in group_of(key).needs if given[need] is None]
        if missing:
            raise UserError(f"{key} is measured on data: give {' and '.join(missing)}")
    datasets.must_exist(speech, logmel, *(negatives or ()), noise, rooms, takes, music, test_set)
    for group in groups():
        if asked := [key for key in group.keys if key in wanted]:
            yield from record(group.measure(**{need: given[need] for need in group.needs}), asked)
