"""Arrays in an `.npz` of others. What it claims to hold is checked before memory is taken for it."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from tinyspeech.errors import UserError
from tinyspeech.outside import files


def load(path: str | Path, most: int, wrong: str) -> dict[str, np.ndarray]:
    """{name: array} of all that a file holds; nothing in it is ever executed.

    most : bytes, of all arrays together
    wrong : of the line for what is no such file, as in "is not an integer model"

    A header that claims more than its member has, a member that unpacks to more than it says, a way of packing that
    cannot be unpacked piece by piece: all are refused before they cost anything. Raises `UserError`, or the system's
    error where the file cannot be opened.
    """
    path = files.regular(path, f"it {wrong}")
    with files.parsing(path, wrong), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if (total := sum(member.file_size for member in members)) > most:
            raise UserError(f"{path} unpacks to {total:,} bytes, and at most {most:,} are taken: it {wrong}")
        return {member.filename.removesuffix(".npy"): _array(archive, member, most) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename} is packed in a way that numpy does not use")
    with archive.open(member) as file:
        head = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if head == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        count = math.prod(shape)
        if dtype.hasobject or min(shape, default=0) < 0 or not 0 <= count <= most \
                or count * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} claims {shape} of {dtype}, and holds {member.file_size} bytes")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
