"""The token file: made once, for its owner alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pos_client.plugin.token import TokenError, read_or_create


def test_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "till" / "plugin.token"
    token = read_or_create(path)
    assert len(token) == 43  # 32 bytes in base64url without padding (RFC 4648, clause 5)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_create(path) == token
    assert [file.name for file in path.parent.iterdir()] == ["plugin.token"]
    assert read_or_create(tmp_path / "another") != token


def test_programs_that_start_together_get_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: read_or_create(tmp_path / "plugin.token"), range(32)))
    assert len(tokens) == 1


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "plugin.token"
    token = read_or_create(path)
    path.chmod(mode)
    with pytest.raises(TokenError, match="chmod 600") as caught:
        read_or_create(path)
    assert token not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 42 + b" y", b"x" * 200, b"\xff" * 43])
def test_a_file_without_a_token_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plugin.token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(TokenError, match="holds no token"):
        read_or_create(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenError, match="cannot be used"):
        read_or_create(tmp_path / "file" / "plugin.token")
