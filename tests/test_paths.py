"""The repository's folders are worked out in one place, and what stands there is there."""

import os
import re
import subprocess
import sys

from tinyspeech import paths

PACKAGE = paths.ROOT / "tinyspeech"


def test_no_other_module_works_out_the_repository_from_its_own_place():
    """A file beside a module (`with_name`, one `parent`) is its own; two parents up is another's."""
    found = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"__file__\)[.\w()]*parent\.parent|parents\[",
                                                                     path.read_text(encoding="utf-8"))]
    assert found == ["paths.py"]


def test_the_folders_are_those_of_the_checkout():
    folders = (paths.FIRMWARE, paths.BOOK, paths.IMAGES, paths.DATA, paths.BUNDLED, paths.CONFIGS, paths.MODELS)
    assert all(folder.is_dir() and folder.is_relative_to(paths.ROOT) for folder in folders)
    assert paths.RESULTS.is_file() and paths.model_file(paths.SHIPPED, ".npz").parent == paths.MODELS


def test_the_cache_is_where_the_environment_says_else_in_the_checkout_else_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYSPEECH_CACHE", str(tmp_path))
    assert paths.cache_folder() == tmp_path and paths.build_folder() == tmp_path / "build"
    monkeypatch.delenv("TINYSPEECH_CACHE")
    assert paths.cache_folder() == paths.ROOT / ".cache"
    assert paths.build_folder() == paths.ROOT / "build"
    monkeypatch.setattr(paths, "ROOT", paths.WHEEL)
    monkeypatch.setattr(paths.Path, "home", lambda: tmp_path / "home")
    assert paths.cache_folder() == tmp_path / "home" / ".cache" / "tinyspeech"
    assert paths.build_folder() == paths.cache_folder() / "build"


def test_networks_of_ones_own_lie_where_the_environment_says(tmp_path):
    code = "from tinyspeech import paths; print(paths.MODELS)"
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, text=True, capture_output=True,
                          env={**os.environ, "TINYSPEECH_MODELS": str(tmp_path)})
    assert done.stdout.strip() == str(tmp_path) and paths.MODELS == paths.DATA / "models"
