"""Fetching Speech Commands v0.02 or its test set from the official address: resumable, checked, unpacked last."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from tinyspeech.errors import UserError
from tinyspeech.outside import shown

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
"""Of the archive at `URL`, as published in the source of torchaudio.datasets.SPEECHCOMMANDS."""
TEST_SET_URL = "http://download.tensorflow.org/data/speech_commands_test_set_v0.02.tar.gz"
TEST_SET_SHA256 = "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df"
"""Of the official test set of 12 classes (112,563,277 bytes), as several public projects that check it agree."""


def download(out: str | Path, url: str = URL, sha256: str = SHA256, timeout_s: float = 30.0) -> Path:
    """Fetch Speech Commands v0.02 (2.3 GB) and unpack it into the folder `out`.

    The archive grows beside it as `out.tar.gz.part`; called again after an interruption, it goes on where it stopped.
    Only an archive with the right SHA-256 is unpacked, and `out` appears only when it is complete.

    Parameters
    ----------
    out : folder to make; if it holds words already, nothing is done
    url, sha256 : of a gzipped tar of word folders
    timeout_s : seconds without an answer after which the network counts as absent

    Returns
    -------
    Path : `out`

    Raises
    ------
    UserError : no network, interrupted, wrong checksum, no room, or `out` is in the way
    """
    out = Path(out)
    if out.exists():
        if not out.is_dir() or (any(out.iterdir()) and not any(out.glob("*/*_nohash_*"))):
            raise UserError(f"{out} is in the way: give a folder that does not exist yet")
        if any(out.iterdir()):
            return out
    part = out.with_name(out.name + ".tar.gz.part")
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise UserError(f"{part} is a link, or no file, and nothing is written through it: remove it")
    try:
        _fetch(url, part, timeout_s)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            part.unlink()
            raise UserError(
                f"{url} came with SHA-256 {digest}, not {sha256}: it was thrown away; run the command again"
            )
        _unpack(part, out)
        part.unlink()
    except tarfile.TarError as error:
        raise UserError(f"{part} cannot be unpacked ({error}): remove it and run the command again") from error
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error}): 5 GB in a folder of yours are needed") from error
    return out


def _fetch(url: str, part: Path, timeout_s: float) -> None:
    """Append to `part` what is still missing of `url`; the server may or may not be able to resume."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    again = "run the command again" + (f" to go on from {part}" if have else "")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            if reply.status != 206:
                have = 0  # the server sends everything from the start
            part.parent.mkdir(parents=True, exist_ok=True)
            again = f"run the command again to go on from {part}"
            length = reply.headers.get("Content-Length")
            total = have + int(length) if length and length.isdecimal() else None
            with (
                part.open("ab" if have else "wb") as file,
                tqdm(total=total, initial=have, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True) as bar,
            ):
                while block := _read_block(reply, url, again):
                    file.write(block)
                    bar.update(len(block))
                if total is not None and file.tell() < total:
                    raise UserError(f"{url} stopped after {file.tell()} of {total} bytes: {again}")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is missing; the checksum will tell
            raise UserError(f"{url} answered {error.code} {shown.one_line(str(error.reason), 200)}: try later, or give "
                            "another address") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException, ValueError) as error:
        reason = shown.one_line(str(getattr(error, "reason", error)), 200)
        raise UserError(f"{url} cannot be reached ({reason}): a network connection is needed; then {again}") from None


def _read_block(reply: http.client.HTTPResponse, url: str, again: str) -> bytes:
    """The next part of an answer, b"" at its end. A lost connection must not be taken for a full disk."""
    try:
        return reply.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{url} broke off ({shown.one_line(str(error), 200)}): {again}") from None


def _unpack(archive: Path, out: Path) -> None:
    """Unpack into a neighbouring folder and move it into place as the last step."""
    unpacked = out.with_name(out.name + ".unpacking")
    shutil.rmtree(unpacked, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tqdm(tar, desc="unpacking", unit=" files"):
            tar.extract(member, unpacked, filter="data")  # refuses links and paths that lead out of the folder
    if out.exists():
        out.rmdir()
    unpacked.replace(out)
