"""Builds that somebody removed in part, that a full disk cut, or that cannot be kept."""

import errno
import shutil

import pytest

from tinyspeech import paths, toolchain
from tinyspeech.errors import Notice, UserError
from tinyspeech.toolchain import compile as compiling


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "source" / "code.c"
    path.parent.mkdir()
    path.write_text("int answer(void) { return 42; }\n")
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "build")
    return tmp_path / "build"


@pytest.mark.parametrize("harm", ["removed", "empty", "cut", "another", "no list", "a broken list"])
def test_a_build_that_is_not_whole_is_made_again(code, cache, harm):
    path = toolchain.build_host_library([code])
    whole, listed = path.read_bytes(), path.parent / compiling.WHOLE
    match harm:
        case "removed":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "another":
            path.write_bytes(bytes(len(whole)))
        case "no list":
            listed.unlink()
        case "a broken list":
            listed.write_text("[")
    assert toolchain.build_host_library([code]) == path and path.read_bytes() == whole
    assert sorted(folder.name for folder in cache.iterdir()) == [path.parent.name]


def test_so_are_the_sources_of_another_network(cache):
    folder = toolchain.firmware_with("/* none */")
    (folder / "main.c").write_text("")
    assert toolchain.firmware_with("/* none */") == folder and (folder / "main.c").stat().st_size > 1000


def test_a_whole_build_is_not_made_again(code, cache, monkeypatch):
    path = toolchain.build_host_library([code])
    monkeypatch.setattr(compiling, "zig", lambda *_: pytest.fail("built again"))
    assert toolchain.build_host_library([code]) == path


def test_builds_that_cannot_be_kept_last_as_long_as_the_program(code, tmp_path, monkeypatch):
    """A checkout that may only be read, as another user's or a CD's: what nobody chose has a way out."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(compiling, "CACHE", tmp_path / "file" / "build")
    monkeypatch.setattr(compiling, "build_folder", lambda: tmp_path / "file" / "build")
    with pytest.warns(Notice, match="cannot be written.*TINYSPEECH_CACHE"):
        path = toolchain.build_host_library([code])
    assert path.is_file() and toolchain.build_host_library([code]) == path


def test_a_full_disk_is_a_line_that_says_what_may_go(code, cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copy", full)
    with pytest.raises(UserError, match=r"cannot write the build .*No space left on device.*may be removed"):
        toolchain.firmware_with("/* none */")


def test_a_compiler_that_dies_without_a_word_is_told(code, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match=r"says nothing and ends with 1.*room on the disks"):
        toolchain.build_host_library([code])


def test_so_does_the_compilers_own_cache_in_a_home_that_cannot_be_written(code, cache, tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no folder")
    for name in ("TINYSPEECH_CACHE", "ZIG_GLOBAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    assert toolchain.build_host_library([code]).is_file()


def test_one_setting_moves_them_all(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path))
    monkeypatch.delenv("ZIG_GLOBAL_CACHE_DIR", raising=False)
    assert paths.cache_folder() == tmp_path and paths.build_folder() == tmp_path / "build"
    assert compiling._compiler_environment()["ZIG_GLOBAL_CACHE_DIR"].startswith(str(tmp_path))
