"""What chapter 10 rests on: accesses to RAM are noted, a recording adds up, and pictures show what they are given."""

import re
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from tinyspeech import paths, toolchain
from tinyspeech.board.direct import Board, report_firmware
from tinyspeech.board.microphone import SIGNAL_HZ, microphone
from tinyspeech.board.virtual import lines, listening
from tinyspeech.chip.emulator import BY_DMA, READ, WRITTEN, Chip
from tinyspeech.chip.native import Native
from tinyspeech.chip.recorder import ROLES, Recording, record, regions
from tinyspeech.errors import UserError
from tinyspeech.integer.network import IntegerModel, sigmoid_q7
from tinyspeech.integer.plan import WORK_BYTES, memory_plan, tenants
from tinyspeech.measure.stages import ACTIVITIES
from tinyspeech.pages import plots, widgets
from tinyspeech.paths import model_file
from tinyspeech.sound import audio
from tinyspeech.toolchain.elf import SRAM_BASE


@pytest.fixture
def assemble(tmp_path):
    """Assembly text -> chip with it in flash, and its ELF file."""

    def build(text: str):
        source = tmp_path / "program.S"
        source.write_text(f'.option norelax\n.section .init, "ax", @progbits\n.globl reset\nreset:\n{text}\nebreak\n')
        built = toolchain.build_firmware([source], "program")
        return Chip(built.bin.read_bytes()), built.elf

    return build


# ---------------------------------------------------------------- accesses


def test_loads_and_stores_of_every_width_are_noted_at_their_bytes(assemble):
    chip, _ = assemble("""
        li a0, 0x20000100
        sb a1, 1(a0)
        sh a1, 4(a0)
        sw a1, 8(a0)
        lb a2, 17(a0)
        lhu a2, 20(a0)
        lw a2, 24(a0)
        lbu a2, 8(a0)
        lw a2, 0(x0)
    """)
    chip.watch_sram()
    assert chip.run() == "break"
    touched = chip.touched()
    expected = np.zeros(2048, np.uint8)
    for at, size, what in ((1, 1, WRITTEN), (4, 2, WRITTEN), (8, 4, WRITTEN), (17, 1, READ), (20, 2, READ),
                           (24, 4, READ), (8, 1, READ)):
        expected[0x100 + at : 0x100 + at + size] |= what
    assert np.array_equal(touched, expected)
    assert not chip.touched().any()  # reading it begins anew


def test_watching_changes_no_cycle():
    clip = np.random.default_rng(3).integers(-3000, 3000, 8000).astype(np.int16)
    plain, watched = (Board(toolchain.build_firmware().elf) for _ in range(2))
    watched.chip.watch_sram()
    one, other = plain.classify(clip), watched.classify(clip)
    assert one.cycles == other.cycles and np.array_equal(one.logits, other.logits)


# ---------------------------------------------------------------- recording


def test_a_recording_adds_up_and_tells_stages_apart(assemble):
    chip, elf = assemble("""
    1:  jal work
        j 1b
        .type work, @function
    work:
        li a0, 0x20000010
        sw a0, 0(a0)
        ret
        .size work, . - work
    """)
    recording = record(chip, elf, {"work": "at work"}, 5, 100)
    busy = recording.busy
    assert [*busy] == ["other", "at work", "asleep"]
    assert all(len(row) == 5 for row in busy.values()) and not busy["asleep"].any()
    assert abs(sum(row.sum() for row in busy.values()) - 500) < 5
    assert min(busy["at work"].min(), busy["other"].min()) > 20
    assert (recording.touched[:, 16:20] == WRITTEN).all()
    assert not np.delete(recording.touched, range(16, 20), axis=1).any()


def test_a_recording_of_a_chip_that_stops_or_of_no_such_function_is_refused(assemble):
    chip, elf = assemble("li a0, 1")
    with pytest.raises(UserError, match=r"stop \(break\) in step 0"):
        record(chip, elf, {}, 2, 1000)
    with pytest.raises(UserError, match="no function nothing"):
        record(chip, elf, {"nothing": "x"}, 1, 10)


def test_variables_in_ram_do_not_overlap_and_fill_what_the_linker_says():
    elf = toolchain.build_firmware().elf
    rows = toolchain.ram_objects(elf)
    assert all(end <= following for (_, end, _), (following, _, _) in pairwise(rows))
    sizes = toolchain.sizes(elf)
    padding = sizes["data_bytes"] + sizes["bss_bytes"] - sum(end - start for start, end, _ in rows)
    assert 0 <= padding < 16


def test_structures_are_taken_apart_into_members(tmp_path):
    source = tmp_path / "program.c"
    source.write_text("""
        struct inner { unsigned char a, b; };
        typedef struct { int first; struct inner pair[2]; struct inner one; short last; } outer;
        volatile outer thing;
        volatile union { int whole; char part[4]; } both;
        __attribute__((section(".init"))) void reset(void);
        void reset(void) { thing.first = both.whole = 1; thing.one.b = both.part[1]; }
    """)
    elf = toolchain.build_firmware([source], "program").elf
    rows = {name: (end - start) for start, end, name in toolchain.ram_objects(elf)}
    assert rows == {"thing.first": 4, "thing.pair": 4, "thing.one.a": 1, "thing.one.b": 1, "thing.last": 2, "both": 4}


def test_regions_cover_all_of_ram_and_refuse_what_does_not_fit():
    elf = toolchain.build_firmware().elf
    rows = regions(elf, 160)
    assert rows[0][0] == SRAM_BASE and rows[-1] == (SRAM_BASE + 2048 - 160, SRAM_BASE + 2048, "stack")
    assert all(end == following for (_, end, _), (following, _, _) in pairwise(rows)) and rows[-2][2] == "never used"
    named = {name for _, _, name in toolchain.ram_objects(elf)}
    assert {name for _, _, name in rows[:-2]} <= {*ROLES.values(), *named, "padding"}
    sizes = toolchain.sizes(elf)
    assert rows[-2][0] == SRAM_BASE + sizes["data_bytes"] + sizes["bss_bytes"]
    everything = regions(elf, 160, dict.fromkeys(named, "variables"))
    assert [name for _, _, name in everything if name != "padding"] == ["variables", "never used", "stack"]
    own = sum(end - start for start, end, _ in toolchain.ram_objects(elf))
    assert sum(end - start for start, end, name in everything if name == "variables") == own
    with pytest.raises(UserError, match="do not fit 2048"):
        regions(elf, 2048)


def test_32_bytes_of_ram_are_never_used():
    report = report_firmware()
    *_, (start, end, name), _ = regions(toolchain.build_firmware().elf, report["stack_bytes"])
    assert name == "never used" and end - start >= 32


def test_a_board_that_listens_says_when_a_word_was_heard():
    silence = np.full(SIGNAL_HZ // 10, 32768, np.uint16)
    volts = np.concatenate([silence, microphone(paths.BUNDLED / "left" / "6156aa59_nohash_0.flac"), silence])
    said = lines(listening(volts), 1.1)
    assert [line.split()[0] for _, line in said] == ["listening", "word"]
    (began, _), (heard, word) = said
    _, name, frame = word.split()
    assert name == "left" and began < 0.05
    assert abs(heard - began - (256 + 160 * (int(frame) - 1)) / 8000 - 0.01) < 0.02  # the frame, a burst, the line


def test_what_the_converter_delivers_is_noted_as_the_dmas():
    elf = toolchain.build_firmware().elf
    board = listening(np.full(SIGNAL_HZ, 32768, np.uint16), 0.1)
    recording = record(board.chip, elf, ACTIVITIES, 10, 2400)
    start, end = next((a, b) for a, b, name in toolchain.ram_objects(elf) if name == "listening.conversions")
    by_dma = (recording.touched & BY_DMA).any(axis=0)
    assert np.array_equal(np.flatnonzero(by_dma), np.arange(start - SRAM_BASE, end - SRAM_BASE))
    busy = {stage: cycles.sum() for stage, cycles in recording.busy.items()}
    assert busy["samples in"] > 0 and abs(sum(busy.values()) - 24_000) < 100


# ---------------------------------------------------------------- what the stream rests on


@pytest.fixture(scope="module")
def model():
    return IntegerModel.load(model_file("tinyspeech_s", ".npz"))


def test_the_work_buffer_has_room_for_each_tenant_at_every_moment(model):
    plan, moments = memory_plan(model), tenants(model)
    for rows in moments.values():
        taken = np.concatenate([np.arange(start, end) for start, end, _ in rows])
        assert len(set(taken)) == len(taken) and taken.max() < WORK_BYTES
    assert max(end for _, end, _ in moments["behind it"]) == plan["scratch_bytes"]
    slower = IntegerModel.load(model_file("tinyspeech_s", ".npz"))
    next(layer for layer in slower.layers if layer.name == "block1_depthwise").stride = 2  # of four frames one
    with pytest.raises(UserError, match="pairs"):
        tenants(slower)


def test_running_answers_of_the_c_are_those_of_shorter_clips(model):
    native, features = Native(), np.random.default_rng(2).integers(-60, 60, (20, 12)).astype(np.int8)
    running = native.running(features)
    plan = memory_plan(model)
    batch, late = plan["batch"], plan["cut"] < len(model.layers)
    record = {}
    model.run(features[None], record)
    argument = next(layer.name for layer in reversed(model.layers) if layer.target == "pooled")
    weights = sigmoid_q7(record[argument][0, :, 0]) + 1
    for frames in (2 * batch, 4 * batch):
        scored = frames // 2
        answer = record["classifier"][0, :scored].sum(axis=0) // weights[:scored].sum()
        assert np.array_equal(running[frames - 1 + late], answer)


def test_clips_in_a_row_are_where_they_are_said_to_be():
    clips = [np.full(100, 1000 * (i + 1), np.int16) for i in range(3)]
    sound, begins = audio.in_a_row(clips, 1000, seed=5)
    assert sound.dtype == np.int16 and len(sound) == begins[-1] + 100
    for clip, at in zip(clips, begins, strict=True):
        assert abs(sound[at : at + 100].astype(int) - clip).max() < 6 * audio.NOISE_UNITS
        assert abs(sound[at - 150 : at].astype(int)).max() < 6 * audio.NOISE_UNITS
    assert np.array_equal(audio.in_a_row(clips, 1000, seed=5)[0], sound)
    assert not np.array_equal(audio.in_a_row(clips, 1000, seed=6)[0][:100], sound[:100])


def test_the_loud_part_of_a_clip():
    samples = np.zeros(8000, np.int16)
    samples[1600:4000] = 1000
    samples[4000:4800] = 10  # 40 dB below
    assert audio.loud_part(samples, 8000) == (0.2, 0.5)
    assert audio.loud_part(samples, 8000, below_db=45) == (0.2, 0.6)


def test_windows_of_a_sound_give_the_sound_again():
    sound = np.random.default_rng(1).integers(-30000, 30000, 2000).astype(np.int16)
    start = 160 * np.arange(10)[:, None] + np.arange(256)
    assert abs(audio.overlap_add(sound[start], 160).astype(int) - sound[: 9 * 160 + 256]).max() <= 1


# ---------------------------------------------------------------- pictures

RAM = [(0x2000_0000, 0x2000_0100, "first"), (0x2000_0100, 0x2000_0120, "small"),
       (0x2000_0120, 0x2000_0180, "never used"), (0x2000_0180, 0x2000_0200, "stack")]


@pytest.mark.usefixtures("figure")
def test_every_byte_is_drawn_once_in_its_colour():
    plots.byte_map(RAM, row=64)
    ax, colors = plt.gca(), plots.region_colors(RAM)
    assert sum(bar.get_width() for bar in ax.patches) == 512
    drawn = {name: sum(bar.get_width() for bar in ax.patches if bar.get_facecolor() == to_rgba(color))
             for name, color in colors.items()}
    assert drawn == {"first": 256, "small": 32, "never used": 96, "stack": 128}
    assert [t.get_text() for t in ax.get_legend().get_texts()][1] == "small  32 B"


@pytest.mark.usefixtures("figure")
def test_ram_over_time_shows_reads_paler_than_writes():
    touched = np.zeros((2, 512), np.uint8)
    touched[0, 0], touched[1, 8], touched[1, 0x184] = WRITTEN, READ, READ | WRITTEN
    plots.ram_over_time(touched, RAM, 0.5)
    picture, color = plt.gca().images[0].get_array(), np.array(to_rgba(plots.region_colors(RAM)["first"])[:3])
    assert picture.shape == (64, 2, 3)
    assert np.allclose(picture[0, 0], color) and np.allclose(picture[1, 1], 0.45 * color + 0.55)
    assert np.allclose(picture[0x30, 1], to_rgba(plots.PALETTE["grey"])[:3])
    assert np.allclose(picture[0, 1], to_rgba(plots.PAPER)[:3])
    assert [t.get_text() for t in plt.gca().texts] == ["first", "small", "never used", "stack"]


@pytest.mark.usefixtures("figure")
def test_thin_strips_of_ram_share_a_label_and_none_is_out_of_the_picture():
    thin = [(0, 4, "a"), (4, 8, "b"), (8, 12, "a"), (12, 500, "wide"), (500, 506, "c"), (506, 512, "d")]
    plots.ram_over_time(np.zeros((2, 512), np.uint8), thin, 0.5)
    texts = plt.gca().texts
    assert [t.get_text() for t in texts] == ["a, b", "wide", "c, d"]
    assert [t.xy[1] for t in texts] == [6, 256, 506] and all(0 <= t.xyann[1] <= 512 for t in texts)


@pytest.mark.usefixtures("figure")
def test_busy_shares_are_stacked_to_a_hundred():
    plots.busy_over_time({"other": [0, 50], "front end": [100, 50]}, 1.0)
    tops = [patch.get_data().values for patch in plt.gca().patches]
    assert np.allclose(tops[0], [0, 50]) and np.allclose(tops[1], [100, 100])


@pytest.mark.usefixtures("figure")
def test_what_is_held_has_its_number_and_the_limit_a_line():
    plots.held({"a": 1000, "b": 64}, {"a": 16, "b": 0}, 512)
    ax = plt.gca()
    assert [t.get_text() for t in ax.texts] == ["1,000", "64", "16", "0"]
    assert [bar.get_width() for bar in ax.patches] == [1000, 64, 16, 0] and ax.lines[0].get_xdata()[0] == 512


@pytest.mark.usefixtures("figure")
def test_tenants_lie_where_they_are():
    plots.shared_buffer({"now": [(0, 64, "x"), (96, 128, "y")], "then": [(0, 128, "y")]}, 128)
    bars = [(bar.get_x(), bar.get_width()) for bar in plt.gca().patches]
    assert bars == [(0, 128), (0, 64), (96, 32), (0, 128), (0, 128)]


@pytest.mark.usefixtures("figure")
def test_words_said_and_heard_stand_at_their_times():
    steps = [(0.5, "yes", 0.0), (1.0, "yes", 300.0), (1.5, "no", 100.0), (9.0, "no", 900.0)]
    plots.endless(steps, 200, [(0.4, 0.9, "yes"), (8.0, 8.5, "no")], [(1.0, "yes"), (9.0, "no")], 2.0)
    ax = plt.gca()
    assert [t.get_text() for t in ax.texts] == ["yes", "yes"]
    line = ax.lines[0].get_ydata()
    assert np.nanmax(line) == 300 and np.isnan(line).sum() == 1
    assert [dot.get_xydata().tolist() for dot in ax.lines[2:]] == [[[1.0, 300.0]]]


@pytest.mark.usefixtures("figure")
def test_least_leads_mark_the_chosen_one():
    plots.least_leads([0, 100_000, 200_000], [90, 80, 60], [5, 3, 1], 100_000)
    left, right = plt.gcf().axes
    assert [ax.lines[-1].get_ydata()[0] for ax in (left, right)] == [80, 3]


# ---------------------------------------------------------------- the film


def test_a_page_of_bytes_says_and_shows_what_was_touched():
    touched = np.zeros(512, np.uint8)
    touched[60:70], touched[0x180] = WRITTEN, READ
    page = widgets.byte_page(touched, RAM, "now")
    label = re.search("aria-label='([^']*)'", page)[1]
    assert label == "now. Bytes written + only read: first 10 + 0; stack 0 + 1."
    assert "M480 0h32v8h-32z" in page and "M0 8h48v8h-48z" in page  # over the end of a row of 64
    assert "<title>small, 32 bytes from +256</title>" in page and page.count("<title>") == 4


def test_a_film_has_a_page_for_each_stretch_and_adds_up_its_steps():
    touched = np.zeros((5, 512), np.uint8)
    touched[3, 0] = WRITTEN
    recording = Recording(1000, touched, {"work": np.full(5, 400), "asleep": np.full(5, 600), "idle": np.zeros(5, int)})
    slider, stack, _ = widgets.ram_film(recording, RAM, 2, 1_000_000).children
    assert slider.options[1] == "2.0 to 4.0 ms" and slider.link.target == (stack, "selected_index")
    assert ["first 1 + 0" in page.value for page in stack.children] == [False, True, False]
    assert "2.0 to 4.0 ms: work 40%, asleep 60%." in stack.children[1].value
