"""The files of a public project: they are what their readers take them for, and the commands in them are there.

    python tests/project/test_public.py FOLDER     runs the container's and Binder's commands in clones of this one

What runs them for real is not here: GitHub, a container, Binder. Workflows, issue forms and the citation are held
against their published schemas (`check-jsonschema` brings those), and what a schema cannot say is looked up.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

from tinyspeech import __version__
from tinyspeech.__main__ import build_parser
from tinyspeech.errors import UserError
from tinyspeech.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")) if path.name != "config.yml"]
SCHEMAS = {
    **{path: "vendor.github-workflows" for path in WORKFLOWS}, **{path: "vendor.github-issue-forms" for path in FORMS},
    ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml": "vendor.github-issue-config",
    ROOT / "CITATION.cff": "vendor.citation-file-format",
}
ELSEWHERE = {"sudo", "apt-get", "tinyspeech"}
"""Programs of GitHub's machines, and what `pip install .` brings there."""
PINNED = re.compile(r"^ +(?:- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
DEV_CONTAINER = {"name", "image", "onCreateCommand", "postCreateCommand", "forwardPorts", "portsAttributes",
                 "hostRequirements", "customizations"}
"""Properties of the specification that we use (containers.dev, devcontainer.json reference)."""


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_it_has_the_published_form(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[path], str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def steps(path: Path) -> list[tuple[dict, dict]]:
    """(job, step) of every step of a workflow."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [(job, step) for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_say_its_version(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines and [line for line in lines if not PINNED.match(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_workflow_may_do_more_than_it_has_to(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["permissions"] == {"contents": "read"}
    assert all(0 < job["timeout-minutes"] <= 120 for job in content["jobs"].values())
    assert "pull_request_target" not in path.read_text(encoding="utf-8")


def commands(script: str) -> list[list[str]]:
    """The words of each command of a script of ours: simple lines, joined by && or ;."""
    return [shlex.split(part) for line in script.splitlines() for part in re.split(r"&&|;(?![^\"']*[\"'])", line)
            if part.strip()]


def wrong(words: list[str], folder: Path = ROOT) -> str | None:
    """What is not there of a command, or None."""
    program, *rest = words
    if program not in ELSEWHERE and shutil.which(program) is None and not program.startswith(".venv/bin/"):
        return f"no program {program}"
    if program in ("python", "python3") and rest[:1] == ["-m"]:
        program, *rest = rest[1:]
    if program == "make":
        done = subprocess.run(["make", "-n", *rest], cwd=folder, capture_output=True, text=True)
        return done.stderr if done.returncode else None
    if program == "tinyspeech":
        try:
            build_parser().parse_args(rest)
        except (SystemExit, UserError) as error:
            return f"{words}: {error}"
    if program in ("bash", "pytest", "ruff"):
        paths = [word for word in rest if "/" in word]
        return next((f"no {name}" for name in paths if not (folder / name).exists()), None)
    if program == "cp":
        return next((f"no {name}" for name in rest[:-1] if not list(folder.glob(name))), None)
    return None


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there(path):
    scripts = [step["run"] for _, step in steps(path) if "run" in step]
    complaints = [complaint for script in scripts for words in commands(script) if (complaint := wrong(words))]
    assert scripts and complaints == []


@pytest.mark.parametrize("words", ["nosuchprogram x", "make nosuchtarget", "tinyspeech clasify x.wav",
                                   "python -m pytest tests/nowhere", "bash .ci/none", "cp data/none.flac here"])
def test_what_is_not_there_is_found(words):
    assert wrong(shlex.split(words))


def test_every_supported_python_is_tried():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    oldest = int(re.search(r'requires-python = ">=3\.(\d+)"', text)[1])
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
    tried = workflow["jobs"]["everything"]["strategy"]["matrix"]["python"]
    assert tried == [f"3.{minor}" for minor in range(oldest, 15)]


def test_the_container_is_of_known_properties_and_its_commands_are_there():
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert set(content) <= DEV_CONTAINER and re.fullmatch(r"python:3\.\d+-\w+", content["image"])
    assert all(wrong(words) is None for name in ("onCreateCommand", "postCreateCommand")
               for words in commands(content[name]))
    assert set(content["portsAttributes"]) == {str(port) for port in content["forwardPorts"]}
    interpreter = content["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python" and "BIN := .venv/bin" in makefile


def test_binder_reads_the_same_list_of_packages():
    """Binder reads nothing but its own folder, if there is one; a path in a list is taken from that list's place."""
    folder = ROOT / ".binder"
    assert {path.name for path in folder.iterdir()} == {"requirements.txt", "runtime.txt", "postBuild"}
    listed = re.fullmatch(r"-r (\S+)\n", (folder / "requirements.txt").read_text(encoding="utf-8"))[1]
    assert (folder / listed).resolve() == ROOT / "requirements.txt"
    assert re.fullmatch(r"python-3\.1[1-4]\n", (folder / "runtime.txt").read_text(encoding="utf-8"))
    script = folder / "postBuild"
    assert os.access(script, os.X_OK) and script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", script], check=True)


def test_the_newest_change_is_on_top_and_every_version_has_its_section():
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert titles[0] in ("Not released yet", f"{__version__}") or titles[0].startswith(f"{__version__} ")
    tags = subprocess.run(["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert all(any(title.startswith(tag.removeprefix("v")) for title in titles) for tag in tags)


def test_the_citation_is_of_this_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


@pytest.mark.parametrize("name", ["SECURITY.md", "CHANGELOG.md", ".github/pull_request_template.md", "README.md"])
def test_what_a_page_links_to_is_there(name):
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not link.startswith("http") and not (ROOT / name).parent.joinpath(link).exists()
            ] == []


ALLOWED = {"book", "tinyspeech", "firmware", "data", "tests", "_config.yml", "_toc.yml", "requirements.txt",
           "README.md", "pyproject.toml", "Makefile", "LICENSE", "CITATION.cff", "CHANGELOG.md", "SECURITY.md", ".ci",
           ".gitignore", ".gitattributes", ".github", ".devcontainer", ".binder"}


def test_the_top_level_is_tidy():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no git, or no clone")
    assert {name.split("/")[0] for name in done.stdout.splitlines()} == ALLOWED


def try_commands(folder: Path) -> None:
    """Run what the container and Binder run, each in a clone of its own below `folder`, and then what they are for."""
    def run(*command, cwd: Path, path: str = "") -> None:
        print("$", *command, flush=True)
        environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)
        subprocess.run([str(word) for word in command], cwd=cwd, env=environment, check=True)

    container, binder = folder / "container", folder / "binder"
    for clone in (container, binder):
        run("git", "clone", "-q", ROOT, clone, cwd=folder)
    content = json.loads((container / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    run("bash", "-c", content["postCreateCommand"], cwd=container)
    run(".venv/bin/python", "-m", "tinyspeech", "classify", "data/bundled/yes/6156aa59_nohash_0.flac", cwd=container)
    venv.create(binder / ".venv", with_pip=True)
    python = binder / ".venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "-r", ".binder/requirements.txt", cwd=binder)
    run("bash", ".binder/postBuild", cwd=binder, path=str(python.parent))
    run(python, "-m", "pytest", "-q", "--nbval", "book/00_one_word.ipynb", cwd=binder)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    try_commands(Path(sys.argv[1]).resolve())
