"""What comes from others: text that may hold anything, files that are none, arrays that are not what they claim."""

import errno
import io
import json
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyspeech.errors import UserError
from tinyspeech.outside import arrays, files, shown


@given(st.text())
def test_what_is_printed_is_one_line_that_does_nothing(text):
    line = shown.printable(text)
    assert line.isprintable() and len(shown.one_line(text).splitlines()) <= 1
    line.encode()  # UTF-8 has all of it


def test_letters_of_all_languages_stay():
    assert shown.printable("größer 言葉 كلمة") == "größer 言葉 كلمة"


@pytest.mark.parametrize("text, line", [
    ("\x1b]0;x\x07", "\\x1b]0;x\\x07"), ("a\nb", "a\\nb"), ("\udcff", "\\udcff"), ("\u202eabc", "\\u202eabc"),
    ("\x9b2J", "\\x9b2J"), ("\0", "\\x00")])
def test_what_would_move_a_terminal_is_an_escape(text, line):
    assert shown.printable(text) == line


def test_a_long_line_is_cut_in_its_middle():
    line = shown.printable("a" * 10**6 + "z")
    assert len(line) < shown.LONGEST and line.startswith("aaa") and line.endswith("az")


@pytest.mark.parametrize("number", [errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.EMFILE, 9999])
def test_an_error_of_the_system_says_the_path_and_the_reason(number):
    line = shown.os_error(OSError(number, os.strerror(number), "some/where"))
    assert line.startswith(f"some/where: {os.strerror(number)}")
    assert shown.os_error(OSError(number, os.strerror(number), b"\xff")).startswith("\udcff: ")
    assert shown.os_error(OSError("a library does not load")) == "a library does not load"


def test_a_file_has_to_be_one_that_ends(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, match in ((tmp_path, "is a folder"), (tmp_path / "pipe", "not a regular file"),
                        ("/dev/zero", "not a regular file"), ("a\0b", "no name")):
        with pytest.raises(UserError, match=match):
            files.content(path, "give a file", 10)
    with pytest.raises(FileNotFoundError):
        files.content(tmp_path / "none", "give a file", 10)
    (tmp_path / "long").write_bytes(b"12345678901")
    with pytest.raises(UserError, match="more than 10 bytes"):
        files.content(tmp_path / "long", "give a file", 10)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_as_any_editor_saves_it(tmp_path, encoding):
    (tmp_path / "t").write_bytes("wörter\nzwei".encode(encoding))
    assert files.text(tmp_path / "t", "") == "wörter\nzwei"


def test_what_is_no_text_is_a_line(tmp_path):
    (tmp_path / "t").write_bytes(b"yes\n\xe4 latin")
    with pytest.raises(UserError, match="not a text file in UTF-8"):
        files.text(tmp_path / "t", "give a list")


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), OverflowError("x"), KeyError(1), OSError("seek")])
def test_whatever_a_parser_raises_is_a_line(error):
    with pytest.raises(UserError, match=r"^f is none$"), files.parsing("f", "is none"):
        raise error


@pytest.mark.parametrize("error", [UserError("clear"), PermissionError(13, "no", "f"), KeyboardInterrupt()])
def test_what_is_clear_already_passes(error):
    with pytest.raises(type(error)) as caught, files.parsing("f", "is none"):
        raise error
    assert caught.value is error


def member(header: dict, data: bytes) -> bytes:
    """An array as .npy that claims what its header says."""
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def archive(path, members: dict[str, bytes], packed=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packed) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def test_arrays_are_what_numpy_saved(tmp_path):
    given = {"a": np.arange(6, dtype=np.int8).reshape(2, 3), "meta": np.array(json.dumps({"x": 1})),
             "f": np.asfortranarray(np.eye(3)), "none": np.zeros((0, 4), np.uint8)}
    np.savez_compressed(tmp_path / "x.npz", **given)
    np.savez(tmp_path / "y.npz", **given)
    for name in ("x.npz", "y.npz"):
        held = arrays.load(tmp_path / name, 10_000, "is none")
        assert held.keys() == given.keys()
        for key in given:
            assert held[key].dtype == given[key].dtype and (held[key] == given[key]).all()


@pytest.mark.parametrize("shape, dtype", [
    ((2**42,), "|u1"), ((2**20, 2**20, 2**20), "|i1"), ((10**18,), "<U0"), ((-1, 5), "|u1"), ((3,), "|O"),
    ((4,), "<f8")])
def test_an_array_that_claims_more_than_there_is_takes_no_memory(tmp_path, shape, dtype):
    path = archive(tmp_path / "x.npz", {"x": member({"descr": dtype, "fortran_order": False, "shape": shape}, b"12")})
    with pytest.raises(UserError, match=r"x\.npz is none"):
        arrays.load(path, 1 << 20, "is none")


def test_what_unpacks_to_too_much_is_refused_unread(tmp_path):
    path = archive(tmp_path / "x.npz", {"x": member({"descr": "|u1", "fortran_order": False, "shape": (10**7,)},
                                                    bytes(10**7))})
    assert path.stat().st_size < 20_000
    with pytest.raises(UserError, match="unpacks to 10,000,128 bytes"):
        arrays.load(path, 10**6, "is none")
    assert arrays.load(path, 10**8, "is none")["x"].shape == (10**7,)


def test_other_ways_of_packing_are_refused(tmp_path):
    data = io.BytesIO()
    np.save(data, np.zeros(3))
    with pytest.raises(UserError, match="is none"):
        arrays.load(archive(tmp_path / "x.npz", {"x": data.getvalue()}, zipfile.ZIP_LZMA), 10**6, "is none")
