"""Log-mel archives that are none: bombs, other pictures, members that claim more than there is; servers' answers."""

import gzip
import http.server
import io
import os
import tarfile
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image

from tinyspeech.errors import Notice, UserError
from tinyspeech.sound import download, logmel


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "cache"))


def picture(size=(40, 98), mode="L", kind="JPEG") -> bytes:
    data = io.BytesIO()
    Image.new(mode, size).save(data, kind)
    return data.getvalue()


def archive(path, members: dict[str, bytes], kind="w:gz"):
    with tarfile.open(path, kind) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["w:gz", "w:bz2", "w:xz", "w"])
def test_any_packing_is_read(tmp_path, kind):
    members = {"yes/a_nohash_0.jpg": picture(), "_background_noise_/n.jpg": picture()}
    path = archive(tmp_path / "x.tar.gz", members, kind)
    assert logmel.load_logmel(path).x.shape == (1, 98, 40)


@pytest.mark.parametrize("data", [picture((20_000, 20_000)), picture((98, 40)), picture(mode="RGB"),
                                  picture(kind="PNG"), picture(kind="TIFF"), b"%!PS-Adobe", b"", picture()[:200]],
                         ids=["huge", "turned", "coloured", "png", "tiff", "postscript", "nothing", "cut"])
def test_other_pictures_are_refused_before_they_cost_anything(tmp_path, data):
    with pytest.raises(UserError, match="is not an archive of log-mel pictures"):
        logmel.load_logmel(archive(tmp_path / "x.tar.gz", {"yes/a_nohash_0.jpg": data}))


@pytest.mark.parametrize("name", ["a.jpg", "/yes/a.jpg.txt", "yes/"])
def test_names_without_a_word(tmp_path, name):
    with pytest.raises(UserError, match="log-mel picture"):
        logmel.load_logmel(archive(tmp_path / "x.tar.gz", {name: picture()}))


def test_what_unpacks_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(logmel, "MOST_BYTES", 1 << 20)
    path = archive(tmp_path / "x.tar.gz", {"zeros": bytes(8 << 20), "yes/a_nohash_0.jpg": picture()})
    assert path.stat().st_size < 20_000
    with pytest.raises(UserError, match="unpacks to more than 1,048,576 bytes"):
        logmel.load_logmel(path)
    monkeypatch.setattr(logmel, "MOST_CLIPS", 1)
    with pytest.raises(UserError, match="more than 1 pictures"):
        logmel.load_logmel(archive(tmp_path / "y.tar.gz", {f"yes/{i}_nohash_0.jpg": picture() for i in range(3)}))


def test_a_member_that_claims_terabytes_takes_none(tmp_path):
    info = tarfile.TarInfo("yes/a_nohash_0.jpg")
    for kind, size in ((tarfile.REGTYPE, 2**42), (tarfile.GNUTYPE_LONGNAME, 2**33), (b"x", 2**33)):
        info.type, info.size = kind, size
        (tmp_path / "x.tar.gz").write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)))
        with pytest.raises(UserError, match="is not an archive"):
            logmel.load_logmel(tmp_path / "x.tar.gz")


def test_an_npz_that_claims_terabytes_takes_none(tmp_path):
    text = repr({"descr": "|u1", "fortran_order": False, "shape": (10**9, 98, 40)}).encode().ljust(117) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    one = np.array(["a"])
    np.savez(tmp_path / "x.npz", word=one, name=one, split=one, noise=np.zeros((0, 98, 40), np.uint8))
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as file:
        file.writestr("x.npy", data)
    with pytest.raises(UserError, match="is not a log-mel set"):
        logmel.load_logmel(tmp_path / "x.npz")


def test_a_cache_that_cannot_be_written_is_said_and_no_reason_to_stop(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path / "file" / "cache"))
    path = archive(tmp_path / "x.tar.gz", {"yes/a_nohash_0.jpg": picture()})
    with pytest.warns(Notice, match="cannot be written.*TINYSPEECH_CACHE"):
        assert logmel.load_logmel(path).x.shape == (1, 98, 40)


@pytest.fixture
def server():
    """Answers with what `say` sets: a status line, as it is sent."""
    class Handler(http.server.BaseHTTPRequestHandler):
        line = b""

        def do_GET(self):
            self.wfile.write(self.line)

        def log_message(self, *_):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield Handler, f"http://127.0.0.1:{running.server_port}/x.tar.gz"
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("line", [
    b"HTTP/1.1 500 " + b"oh " * 300 + b"\r\n\r\n", b"HTTP/1.1 503 \x1b[2Jgone\x07\r\n\r\n", b"no answer at all\r\n\r\n",
    b"HTTP/1.1 404 \xff\xfe\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
    b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
])
def test_a_server_may_say_anything(server, tmp_path, line):
    handler, url = server
    handler.line = line
    with pytest.raises(UserError) as caught:
        download.download(tmp_path / "out", url, "0" * 64, timeout_s=5)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


@pytest.mark.parametrize("kind", ["a link", "a link to nothing", "a pipe", "a folder"])
def test_nothing_is_written_through_what_is_no_part_file(server, tmp_path, kind):
    handler, url = server
    handler.line = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    (tmp_path / "other").write_text("precious")
    part = tmp_path / "out.tar.gz.part"
    match kind:
        case "a link":
            part.symlink_to(tmp_path / "other")
        case "a link to nothing":
            part.symlink_to(tmp_path / "new")
        case "a pipe":
            os.mkfifo(part)
        case "a folder":
            part.mkdir()
    with pytest.raises(UserError, match="is a link, or no file"):
        download.download(tmp_path / "out", url, "0" * 64, timeout_s=5)
    assert (tmp_path / "other").read_text() == "precious" and not (tmp_path / "new").exists()
