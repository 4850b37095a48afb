"""What is opened is judged once it is open; nothing keeps the reader waiting."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

from greenai.journal.files import open_regular


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("pipe", "dangling", "gone", "."):
        assert open_regular(tmp_path / name) is None
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as open_socket:
        open_socket.bind(f"{short}/socket")
        assert open_regular(Path(short) / "socket") is None


def test_where_somebody_is_asked_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name, fits, expected in (
        ("file", None, b"x"),
        ("link", None, b"x"),
        ("file", lambda found: found.st_size == 1, b"x"),
        ("file", lambda found: found.st_size == 2, None),
        ("link", lambda _: True, None),
    ):
        file = open_regular(tmp_path / name, fits)
        if file is None:
            assert expected is None
            continue
        with file:
            assert file.read() == expected
