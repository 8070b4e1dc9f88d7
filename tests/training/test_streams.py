"""Streams to train on: what is in them, what is asked of them, and a run that learns from both, to the same bits."""

import numpy as np
import pytest
import soundfile
import torch
from support.small_training import bands, config, interrupt, same

from tinyspeech.__main__ import main
from tinyspeech.errors import UserError
from tinyspeech.integer import decision
from tinyspeech.lowbit import grids
from tinyspeech.lowbit.saved import load_model
from tinyspeech.networks.models import build_model
from tinyspeech.sound.splits import speaker_split
from tinyspeech.training import streams, train
from tinyspeech.training.config import StreamSettings, TrainConfig

NETWORK = {"channels": 8, "expansion": 8, "stem_kernel": 2, "kernels": [3, 3], "strides": [2, 1], "condenser": 4,
           "head": 8, "memory": 3}
SETTINGS = {"network": NETWORK, "streams": {"share": 0.3, "false_weight": [0.5, 2.0]}}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sounds():
    """Of the small corpus: clips, and speech and noise of no word's pattern."""
    data, g = bands(), generator(5)
    chosen = ~data.validation
    clips = data.x[chosen]
    speech = (14 + 4 * torch.rand(3000, 20, generator=g)).half()
    free = torch.zeros(3000, dtype=torch.bool)
    free[1000:1100] = True
    rooms = torch.rand(4, streams.ECHOES, 20, generator=g) * torch.logspace(0, -3, streams.ECHOES)[:, None]
    return streams.Sounds(clips, data.label[chosen], torch.full((len(clips),), 90), speech, free,
                          (8 + torch.randn(2000, 20, generator=g)).half(), rooms / rooms.sum(1, keepdim=True))


def test_a_stream_says_what_it_asks():
    drawn = sounds().draw(400, generator())
    asked = drawn.word >= 0
    print(asked.float().mean(), drawn.due.sum(1)[asked].float().mean(), drawn.allowed.float().mean((0, 1)))
    assert drawn.features.shape == (400, 160, 12) and drawn.features.abs().max() <= 128
    assert torch.equal(drawn.features, drawn.features.round())
    assert 0.35 < asked.float().mean() < 0.55 and (drawn.word[asked] >= decision.REJECTED).all()
    assert (drawn.due[asked].sum(1) >= 20).all() and not drawn.due[~asked].any()  # 450 ms, two steps a frame
    for i in torch.nonzero(asked)[:, 0]:
        assert drawn.allowed[i, drawn.due[i], drawn.word[i]].all()
    assert drawn.allowed[..., : decision.REJECTED].all()
    quiet = ~drawn.allowed[..., decision.REJECTED :].any(-1)
    assert quiet.float().mean() > 0.5  # mostly, no report is right


def test_the_same_generator_draws_the_same():
    one, two, other = (sounds().draw(16, generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in vars(one))
    assert not torch.equal(one.features, other.features)


def test_echoes_are_a_convolution():
    g = generator()
    power, room = torch.rand(3, 50, 20, generator=g), torch.rand(3, 8, 20, generator=g)
    wanted = torch.zeros_like(power)
    for k in range(8):
        wanted[:, k:] += power[:, : 50 - k] * room[:, k, None]
    assert torch.allclose(streams.reverberate(power, room), wanted, atol=1e-4)


def test_a_word_ends_where_it_is_25_db_down():
    clip = torch.full((1, 98, 20), 4.0)
    clip[:, 30:60] = 20.0
    clip[:, 60:70] = 20.0 - 8.0  # 24 dB less
    clip[:, 70:80] = 20.0 - 9.0
    assert streams.word_ends(clip.half()).tolist() == [70]


def test_a_room_loses_no_power_and_begins_with_its_direct_path():
    rng = np.random.default_rng(0)
    sound = np.zeros(16000)
    sound[1000] = 1.0
    sound[1001:9000] = 0.02 * rng.standard_normal(7999) * np.exp(-np.arange(7999) / 2000)
    room = streams.room_of(sound[1000:])
    assert room.shape == (streams.ECHOES, 20) and np.allclose(room.sum(0), 1, atol=1e-4)
    assert (room[0] > 4 * room[1:].max(0))[3:].all()


# --- the network's answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strides", [[2, 1], [2, 2], [1, 1]])
def test_answers_are_a_clips_own_and_the_decisions_sums(strides):
    torch.manual_seed(0)
    model = build_model("tinyspeech_s", **{**NETWORK, "strides": strides}).eval()
    clips = torch.randint(-90, 90, (5, 49, 12)).float()
    drawn = sounds().draw(5, generator())
    rows = streams.rows_of(model, clips, drawn)
    logits, sums = streams.answers(model, rows)
    assert torch.allclose(logits, model(clips / 32), atol=1e-5)
    stride = strides[0] * strides[1]
    scores, h = model.scores(rows / 32)
    weighed = (scores * model.condenser.weights(h)).detach().numpy()[:, -160 // stride :]
    state = np.zeros_like(weighed[:, 0])
    for t in range(weighed.shape[1]):
        state = state - state / 2**streams.LEAK_BITS + weighed[:, t]
        assert np.allclose(sums[:, t].detach().numpy(), state, atol=1e-4)


def test_the_loss_knows_right_from_wrong():
    allowed = torch.zeros(1, 160, 12, dtype=torch.bool)
    allowed[..., : decision.REJECTED] = True
    due = torch.zeros(1, 160, dtype=torch.bool)
    allowed[:, 80:120, 5], due[:, 90:110] = True, True
    asked = streams.Streams(torch.zeros(1, 160, 12), allowed, due, torch.tensor([5]))
    nothing = streams.Streams(torch.zeros(1, 160, 12), allowed, torch.zeros_like(due), torch.tensor([-1]))
    clip = torch.tensor([3])

    def cost(stream, frame=None, label=5, weight=1.0):
        sums = torch.zeros(1, 80, 12)
        if frame is not None:
            sums[0, frame // 2, label] = 30.0
        return float(streams.loss(sums, stream, clip, weight))

    print(cost(asked), cost(asked, 100), cost(asked, 40), cost(nothing), cost(nothing, 40))
    assert cost(asked, 100) < 0.3 * cost(asked)  # in time
    assert cost(asked, 84) > 0.9 * cost(asked)  # too early: no error, but no answer either
    assert cost(asked, 40) > cost(asked) + 5 and cost(nothing, 40) > cost(nothing) + 5
    assert cost(asked, 100, label=6) > cost(asked) + 5  # another word
    assert cost(nothing, 8, label=3) < cost(nothing) + 1 and cost(nothing, 8, label=4) > cost(nothing) + 5  # the clip's
    assert cost(nothing, 40, weight=3.0) > 2.9 * cost(nothing, 40)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taught", [False, True])
def test_a_run_on_streams_learns_and_resumes_to_the_same_bits(taught, tmp_path, monkeypatch):
    out, again = tmp_path / "net.pt", tmp_path / "again.pt"
    settings = {**SETTINGS, "epochs": 3}
    if taught:
        train.train(config(model="teacher", network={"widths": [8, 8], "strides": [2]}, epochs=1, qat_epochs=0),
                    bands(), tmp_path / "teacher.pt", quiet=True)
        settings["teacher"] = str(tmp_path / "teacher.pt")
    metrics = train.train(config(**settings), bands(), out, quiet=True, sounds=sounds())
    losses = [row["loss"] for row in metrics["history"]]
    print(losses, metrics["accuracy"])
    assert losses[2] < losses[0]
    with monkeypatch.context() as patch:
        interrupt(patch, train, "save_progress", 2)
        with pytest.raises(KeyboardInterrupt):
            train.train(config(**settings), bands(), again, quiet=True, sounds=sounds())
    train.train(config(**settings), bands(), again, resume=True, quiet=True, sounds=sounds())
    assert same(out, again)


def test_a_teacher_is_asked_about_the_clips_before_the_streams(tmp_path):
    """Its answers are all that is learned of them with a weight of 1: what it says itself costs nothing then."""
    settings = config(**{**SETTINGS, "streams": {"share": [0.0, 1.0]}}, teacher="t", distill_weight=1.0)
    model = train.build(settings).eval()
    data = bands()
    asked = []

    def teacher(x):
        asked.append(x)
        return model(x)

    run = train.Run(settings, tmp_path / "net.pt", "cpu", True, data, None, None, None, 1, model, None,
                    torch.Generator().manual_seed(0), sounds(), teacher)
    x, y = torch.randint(-60, 60, (6, 49, 12)).float(), torch.arange(2, 8)
    assert abs(train.joint_loss(run, x, y, 0.0).item()) < 1e-4
    assert torch.equal(asked[0], x * grids.INPUT_STEP)
    run.progress.stage = "qat"
    assert train.joint_loss(run, x, y, 0.0).item() > 0.1  # streams count in that stage alone
    run.progress.stage, run.teacher = "float", lambda x: torch.zeros(len(x), 12)
    assert train.joint_loss(run, x, y, 0.0).item() > 1e-4


def test_a_network_that_remembers_starts_from_one_that_does_not(tmp_path):
    plain = {**NETWORK, "memory": 0}
    train.train(config(network=plain, qat_epochs=0, epochs=1), bands(), tmp_path / "plain.pt", quiet=True)
    model = train.build(config(**SETTINGS))
    train.load_start(config(**SETTINGS, start=str(tmp_path / "plain.pt")), model)
    x = torch.randn(4, 49, 12)
    assert torch.allclose(model.eval()(x), load_model(tmp_path / "plain.pt")(x), atol=1e-5)


@pytest.mark.parametrize(("settings", "needle"), [
    ({"streams": {"count": 3}}, "unknown key 'count'"), ({"streams": {"false_weight": [1]}}, "false_weight"),
    ({"streams": {"share": -1}}, "0 to 1000"),
    ({"streams": {"share": [0, 1, 2]}}, "0 to 1000"), ({"streams": {"share": 1}, "mixup": 0.2}, "neither")])
def test_senseless_settings_are_refused(settings, needle):
    with pytest.raises(UserError, match=needle):
        TrainConfig(**settings)


def test_streams_need_sounds_and_a_condenser(tmp_path):
    with pytest.raises(UserError, match="--negatives"):
        train.train(config(**SETTINGS), bands(), tmp_path / "a.pt", quiet=True)
    with pytest.raises(UserError, match="weighs its frames"):
        train.train(config(network={**NETWORK, "memory": 0, "condenser": 0}, streams={"share": 1.0}), bands(),
                    tmp_path / "a.pt", quiet=True, sounds=sounds())


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Recordings of four speakers, a table of what they say, noise and a room."""
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    names = [f"s{i}" for i in range(12)]
    for folder in ("talk", "noise", "rooms"):
        (tmp_path / folder).mkdir()
    for name in names:
        soundfile.write(tmp_path / "talk" / f"{name}.wav", 0.1 * rng.standard_normal(16000 * 3 + 1), 16000)
    (tmp_path / "talk" / "keywords_talk.tsv").write_text(
        "file\tstart\tend\tword\n" + "".join(f"{name}.wav\t1.0\t1.4\tgo\n" for name in names))
    soundfile.write(tmp_path / "noise" / "hiss.ogg", 0.01 * rng.standard_normal(16000 * 12), 16000)
    soundfile.write(tmp_path / "rooms" / "hall.flac", np.r_[1.0, 0.1 * rng.standard_normal(4000)] / 2, 8000)
    return tmp_path, names


def test_files_become_sounds(folders):
    root, names = folders
    data = bands()
    made = streams.load(data, [root / "talk"], [root / "noise"], root / "rooms")
    training = [name for name in names if speaker_split(name) == "training"]
    steps = (24000 - 256) // 80 + 1
    print(len(training), made.speech.shape, made.noise.shape, made.free.sum())
    assert len(made.speech) == len(made.free) == len(training) * steps and len(made.rooms) == 1
    assert made.free[:steps].nonzero()[:, 0].tolist() == list(range(70, 220))
    assert len(made.clips) == int((~data.validation).sum()) and 900 < len(made.noise) < 1000
    assert torch.equal(streams.load(data, [root / "talk"], [root / "noise"], root / "rooms").speech, made.speech)


@pytest.mark.parametrize("missing", ["talk", "noise", "rooms"])
def test_a_folder_without_recordings_is_named(folders, missing):
    root, _ = folders
    for path in (root / missing).iterdir():
        path.unlink()
    with pytest.raises(UserError, match=missing):
        streams.load(bands(), [root / "talk"], [root / "noise"], root / "rooms")


def test_the_command_says_what_streams_need(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text("streams: {share: 0.3}\n")
    assert main(["train", "--config", str(path)]) == 2
    assert "--negatives, --ambience, --rooms" in capsys.readouterr().err


def test_a_config_says_how_much_noise_is_among_the_streams():
    drawn = [sounds().draw(2000, generator(), noise) for noise in (0.06, 0.5)]
    asked, asked_in_noise = (float((streams_.word >= 0).float().mean()) for streams_ in drawn)
    assert abs(asked - 0.45) < 0.05 and abs(asked_in_noise - 0.23) < 0.05
    assert StreamSettings.from_dict({"noise": 0.5}).noise == 0.5 and StreamSettings.from_dict({}).noise == 0.06
    for wrong in (-0.1, 0.6, "much", [0.1, 0.1]):
        with pytest.raises(UserError, match="'noise' under 'streams' must be a share"):
            StreamSettings.from_dict({"noise": wrong})
