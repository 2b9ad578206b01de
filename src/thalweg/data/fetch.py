"""Getting MNIST, when asked and never otherwise.

A download goes into ``NAME.part``, is resumed where it stopped, compared with a checksum, and only
then given its name: a file that has its name is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

from thalweg.errors import DataError

__all__ = ["MNIST_ADDRESS", "MNIST_FILES", "Progress", "data_folder", "fetch_file", "fetch_mnist"]

# A public mirror; the database's first home no longer hands the files out.
MNIST_ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"

# Name of each file, and the MD5 of its content before compression: it is the same in every copy,
# however that was compressed.
MNIST_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

# Called with the file's name, the bytes there so far, and the bytes in all.
Progress = Callable[[str, int, int], None]

_PIECE = 1 << 16
_TIMEOUT = 60  # seconds without a byte


def data_folder() -> Path:
    """Where data files are looked for: ``$THALWEG_DATA``, or the user's data folder."""
    named = os.environ.get("THALWEG_DATA")
    return Path(named) if named else Path.home() / ".local" / "share" / "thalweg"


def fetch_mnist(
    folder: str | Path | None = None,
    progress: Progress | None = None,
    *,
    address: str = MNIST_ADDRESS,
) -> Path:
    """Download the four files of MNIST (12 MB) that are not there yet.

    Args:
        folder: where to; ``data_folder() / "mnist"`` where omitted.
        progress: called after each piece.
        address: where from, ending with a slash.

    Returns:
        The folder.

    Raises:
        DataError: the address cannot be reached, stops midway, or serves something else.
    """
    folder = data_folder() / "mnist" if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, md5 in MNIST_FILES.items():
        fetch_file(f"{address}{name}.gz", folder / f"{name}.gz", md5, progress)
    return folder


def fetch_file(address: str, path: Path, md5: str, progress: Progress | None = None) -> None:
    """Download one gzipped file, unless it is there.

    Args:
        address: where from.
        path: where to; ``path`` with ``.part`` appended holds what has come so far.
        md5: of the content before compression.
        progress: called after each piece.

    Raises:
        DataError: as ``fetch_mnist`` does.
    """
    if path.exists():
        _check(path, md5, f"delete {path} to download it")
        return
    partial = path.with_name(path.name + ".part")
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        total = _append(address, partial, before, progress)
        size = partial.stat().st_size
        if size >= total:
            break
        if size <= before:  # as long as each attempt brings something, go on
            raise DataError(
                f"{address} stopped after {size} of {total} bytes; ask again to go on from there"
            )
    try:
        _check(partial, md5, f"ask again, or copy the file to {path} from elsewhere")
    except DataError:
        partial.unlink()  # what is wrong cannot be resumed
        raise
    os.replace(partial, path)


def _append(address: str, partial: Path, begin: int, progress: Progress | None) -> int:
    """Ask for the bytes from ``begin`` on and write what comes; the size of the whole file."""
    request = urllib.request.Request(address, headers={"Range": f"bytes={begin}-"} if begin else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return begin  # nothing lies beyond what is there; the checksum decides
        raise DataError(f"{address} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{address} cannot be reached ({reason}); connect to the network, or copy the files "
            f"into {partial.parent}"
        ) from error
    with response:
        resumed = _resumed_at(response) == begin > 0
        size = begin if resumed else 0
        total = size + int(response.headers.get("Content-Length", 0))
        with partial.open("ab" if resumed else "wb") as file:
            try:
                while piece := response.read(_PIECE):
                    file.write(piece)
                    size += len(piece)
                    if progress is not None:
                        progress(partial.stem, size, total)
            except (OSError, http.client.HTTPException):
                # The connection broke; what came stays, and the caller sees that some is missing.
                total = max(total, size + 1)
    return total


def _resumed_at(response: http.client.HTTPResponse) -> int:
    """The first byte of a partial answer; 0 where the server sends the whole file."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match and response.status == http.HTTPStatus.PARTIAL_CONTENT else 0


def _check(path: Path, md5: str, remedy: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with gzip.open(path) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: gzip says {str(error)!r}; {remedy}") from error
    if digest.hexdigest() != md5:
        raise DataError(
            f"{path} is another file than expected: the MD5 of its content must be {md5}, "
            f"got {digest.hexdigest()}; {remedy}"
        )
