"""The bearer token of the API: one file that the till's user alone may read."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

TOKEN_BYTES = 32
"""256 random bits: past guessing."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43,128}")


class TokenError(Exception):
    """The token file cannot be used; the text is one line: what, where, what to do."""


def read_or_create(path: Path) -> str:
    """Read the token, or make a new random one when the file does not exist.

    Raises:
        TokenError: unreadable, open to others, or not a token.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path)
    except OSError as error:
        raise TokenError(f"token file {path} cannot be used: {error.strerror}; check the folder's owner") from error
    return read_existing(path)


def read_existing(path: Path) -> str:
    """Read the token of a till that ran here.

    Raises:
        TokenError: not there, unreadable, open to others, or not a token.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise TokenError(f"token file {path} can be read by others: run chmod 600 {path}")
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise TokenError(f"token file {path} cannot be used: {error.strerror}; check the folder's owner") from error
    except UnicodeDecodeError as error:
        raise TokenError(f"token file {path} holds no token: delete it, and a new one is made") from error
    if not _TOKEN.fullmatch(token):
        raise TokenError(
            f"token file {path} holds no token: expected 43 to 128 url-safe characters, got {len(token)} characters; "
            "delete it, and a new one is made"
        )
    return token


def _create(path: Path) -> None:
    """Make the file when it is not there. It appears whole: another process never reads half a token."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it never replaces a token that is in use
    except FileExistsError:
        return  # another process was first: its token counts
    finally:
        draft.unlink()
