"""`data` and `models`: what recordings and which networks there are."""

import json


def test_data_info(run, folder):
    result = json.loads(run("data", "info", folder, "--json"))
    assert result["clips"] == 24 and result["splits"]["validation"] == 24
    assert "24 clips of 12 words" in run("data", "info", folder)


def test_download_without_network_is_one_line(refused, tmp_path, monkeypatch):
    import urllib.error
    import urllib.request

    def offline(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    refused("cannot be reached.*no route to host", "data", "download", "--out", tmp_path / "sc")


def test_models_counts_the_family(run):
    rows = run("models").splitlines()[1:]
    assert [row.split()[0] for row in rows] == [f"printed_{letter}" for letter in "xyzm"]
    assert rows[2].split()[1:3] == ["2,712", "2,700"]


def test_download_of_the_test_set_is_another_archive(run, refused, folder, tmp_path, monkeypatch):
    from tinyspeech.sound import download

    asked = []
    monkeypatch.setattr(download, "download", lambda *given: asked.append(given) or given[0])
    assert run("data", "download", "--test-set") == "The official test set is in speech_commands_test_set_v0.02\n"
    assert run("data", "download", "--out", tmp_path / "sc") == f"Speech Commands is in {tmp_path / 'sc'}\n"
    assert asked == [("speech_commands_test_set_v0.02", download.TEST_SET_URL, download.TEST_SET_SHA256),
                     (str(tmp_path / "sc"), download.URL, download.SHA256)]
    refused("is in the way: it holds words, but of another set", "data", "download", "--test-set", "--out", folder)
    (tmp_path / "_silence_").mkdir()
    (tmp_path / "_silence_" / "x.wav").touch()
    refused("of another set", "data", "download", "--out", tmp_path)
    assert len(asked) == 2
