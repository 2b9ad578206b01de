"""Downloads from a server on this machine that truncates, ignores ranges and serves wrong bytes."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from thalweg.data.fetch import MNIST_FILES, data_folder, fetch_file, fetch_mnist
from thalweg.errors import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)
PACKED = gzip.compress(CONTENT, mtime=0)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves ``files``; hangs up after ``most`` bytes; knows ranges or ``ignores`` them."""

    def __init__(self):
        self.files = {"/file.gz": PACKED}
        self.most = 10**9
        self.ignores_ranges = False
        self.asked = []  # (path, range) of each request

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):
                self.answer(handler)

            def log_message(handler, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/"

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.asked.append((handler.path, wanted))
        content = self.files.get(handler.path)
        if content is None:
            handler.send_error(404)
            return
        begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if self.ignores_ranges:
            begin = 0
        if begin >= len(content):
            handler.send_error(416)
            return
        handler.send_response(206 if begin else 200)
        if begin:
            last = len(content) - 1
            handler.send_header("Content-Range", f"bytes {begin}-{last}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - begin))
        handler.end_headers()
        handler.wfile.write(content[begin : begin + self.most])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.gz"


def test_a_file_is_downloaded_once(server, path):
    calls = []
    fetch_file(f"{server.address}file.gz", path, MD5, lambda *call: calls.append(call))
    assert path.read_bytes() == PACKED
    assert [p.name for p in path.parent.iterdir()] == ["file.gz"]
    assert calls[-1] == ("file.gz", len(PACKED), len(PACKED))
    assert [done for _, done, _ in calls] == sorted({done for _, done, _ in calls})
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert server.asked == [("/file.gz", None)]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, path):
    server.most = 120_000
    calls = []
    fetch_file(f"{server.address}file.gz", path, MD5, lambda *call: calls.append(call))
    assert path.read_bytes() == PACKED
    assert [wanted for _, wanted in server.asked] == [None, "bytes=120000-", "bytes=240000-"]
    assert {total for _, _, total in calls} == {len(PACKED)}


def test_a_later_call_goes_on_from_what_is_there(server, path):
    partial = path.with_name("file.gz.part")
    partial.write_bytes(PACKED[:1000])
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert server.asked == [("/file.gz", "bytes=1000-")]
    assert path.read_bytes() == PACKED
    assert not partial.exists()


def test_a_server_that_ignores_ranges_sends_it_all_again(server, path):
    path.with_name("file.gz.part").write_bytes(PACKED[:1000])
    server.ignores_ranges = True
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert path.read_bytes() == PACKED


def test_a_download_that_was_complete_only_gets_its_name(server, path):
    path.with_name("file.gz.part").write_bytes(PACKED)
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert path.read_bytes() == PACKED


def test_no_progress_ends_the_attempts_and_keeps_what_came(server, path):
    server.ignores_ranges, server.most = True, 1000
    with pytest.raises(DataError, match=f"stopped after 1000 of {len(PACKED)} bytes; ask again"):
        fetch_file(f"{server.address}file.gz", path, MD5)
    assert path.with_name("file.gz.part").read_bytes() == PACKED[:1000]
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(b"something else", mtime=0), f"the MD5 of its content must be {MD5}, got"),
        (b"<html>gone</html>", "is damaged: gzip says"),
        (PACKED[:-20], "is damaged: gzip says"),
        (PACKED[:5000] + b"\0" + PACKED[5001:], "is damaged: gzip says"),
    ],
)
def test_wrong_bytes_are_thrown_away(server, path, content, sentence):
    server.files["/file.gz"] = content
    with pytest.raises(DataError, match=sentence) as error:
        fetch_file(f"{server.address}file.gz", path, MD5)
    assert "ask again, or copy the file to" in str(error.value)
    assert list(path.parent.iterdir()) == []
    server.files["/file.gz"] = PACKED  # and the next call starts anew
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert path.read_bytes() == PACKED


def test_a_beginning_of_another_file_is_thrown_away(server, path):
    path.with_name("file.gz.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="is damaged"):
        fetch_file(f"{server.address}file.gz", path, MD5)
    fetch_file(f"{server.address}file.gz", path, MD5)
    assert path.read_bytes() == PACKED


def test_another_file_of_that_name_is_left_alone(server, path):
    path.write_bytes(gzip.compress(b"mine"))
    with pytest.raises(
        DataError, match=r"is another file than expected.*; delete .* to download it"
    ):
        fetch_file(f"{server.address}file.gz", path, MD5)
    assert gzip.decompress(path.read_bytes()) == b"mine"
    assert server.asked == []


def test_an_address_that_has_nothing(server, path):
    with pytest.raises(DataError, match=r"absent.gz answers 404 Not Found"):
        fetch_file(f"{server.address}absent.gz", path, MD5)


def test_no_network(server, path):
    server.http.server_close()
    with pytest.raises(DataError, match=r"cannot be reached .* or copy the files into"):
        fetch_file(f"{server.address}file.gz", path, MD5)


def test_mnist_from_a_mirror(server, tmp_path, mnist_folder):
    for name in MNIST_FILES:
        server.files[f"/{name}.gz"] = (mnist_folder / f"{name}.gz").read_bytes()
    server.most = 4_000_000
    folder = fetch_mnist(tmp_path / "made" / "mnist", address=server.address)
    assert folder == tmp_path / "made" / "mnist"
    for name in MNIST_FILES:
        assert (folder / f"{name}.gz").read_bytes() == server.files[f"/{name}.gz"]
    assert len(list(folder.iterdir())) == 4


def test_where_data_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("THALWEG_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("THALWEG_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".local" / "share" / "thalweg"
