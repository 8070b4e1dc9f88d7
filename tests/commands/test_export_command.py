"""`export`: a trained network into integers and header, or the front end's tables."""

import dataclasses
import shutil

from tinyspeech import paths
from tinyspeech.chip import firmware
from tinyspeech.integer.network import IntegerModel
from tinyspeech.paths import DATA, ROOT


def test_tables_are_written_when_asked_for_and_only_they(run, refused, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path)
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    assert run("export", "--tables") == "firmware/frontend_tables.h\n"
    assert [path.name for path in tmp_path.iterdir()] == ["frontend_tables.h"]
    assert (tmp_path / "frontend_tables.h").read_text() == (ROOT / "firmware" / "frontend_tables.h").read_text()
    refused("--dump.*not allowed with.*--tables", "export", "--tables", "--dump")
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path / "nowhere")
    refused("cannot write .*nowhere.*No such file", "export", "--tables")


def test_export_gives_the_shipped_header(run, tmp_path, monkeypatch):
    """The shipped integers and header were made of the shipped checkpoint, and exporting again changes nothing."""
    monkeypatch.setattr(paths, "MODELS", tmp_path)
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s.pt", tmp_path)
    out = run("export")
    shipped = ROOT / "firmware"
    assert firmware.exported_hash(shipped) in out
    for name in ("model.h", "sigmoid.h"):
        same = (tmp_path / name).read_text() == (shipped / name).read_text()
        assert same, f"{name} is stale: run `python -m tinyspeech export`"

    assert IntegerModel.load(tmp_path / "tinyspeech_s.npz").digest == firmware.exported_hash(shipped)


def test_export_dump_shows_every_layer_and_writes_nothing(run, refused, tmp_path, monkeypatch):

    monkeypatch.setattr(paths, "MODELS", tmp_path)
    shutil.copy(DATA / "models" / "tinyspeech_s.npz", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (*tmp_path.iterdir(), ROOT / "firmware" / "model.h")}
    out = run("export", "--dump")
    assert before == {path: path.stat().st_mtime_ns for path in before} and len(list(tmp_path.iterdir())) == 1
    model = IntegerModel.load(tmp_path / "tinyspeech_s.npz")
    assert model.digest in out and all(f"\n{layer.name}: {layer.kind}" in out for layer in model.layers)
    assert " ".join(map(str, model.layers[0].weight[0, :20])) in out
    for row in model.worst():
        if not row.accumulator:  # a leak multiplies nothing
            continue
        assert f"at worst: sum {row.accumulator:,}" in out
    refused("no trained model 'gpt'", "export", "--dump", "--model", "gpt")


def test_export_that_is_refused_writes_nothing(refused, tmp_path, monkeypatch):
    """An overflow, a network that the firmware cannot hold, a folder that cannot be written: one line each."""
    from tinyspeech.lowbit import lower

    monkeypatch.setattr(paths, "MODELS", tmp_path)
    monkeypatch.setattr(paths, "FIRMWARE", tmp_path / "nowhere")
    shutil.copy(DATA / "models" / "tinyspeech_s.pt", tmp_path)
    shipped = IntegerModel.load(DATA / "models" / "tinyspeech_s.npz")
    original = lower.integer_twin
    for change, match in (({"flush": 10**7}, "classifier.*beyond 32 bits"), ({"inputs": 8}, "stem: weights must be")):
        changed = dataclasses.replace(shipped, **change)
        monkeypatch.setattr(lower, "integer_twin", lambda *_, changed=changed: changed)
        refused(match, "export")
        assert [path.name for path in tmp_path.iterdir()] == ["tinyspeech_s.pt"]
    monkeypatch.setattr(lower, "integer_twin", original)
    refused("cannot write .*nowhere", "export")
