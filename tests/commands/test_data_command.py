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
    assert [row.split()[0] for row in rows] == [f"tinyspeech_{letter}" for letter in "xyzm"]
    assert rows[2].split()[1:3] == ["2,712", "2,700"]
