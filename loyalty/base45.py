"""Base45 (RFC 9285): bytes as text that a QR code carries in its dense alphanumeric mode."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """`data` as Base45: three characters for two bytes, two for a last single one (RFC 9285 section 4)."""
    characters = []
    for start in range(0, len(data), 2):
        pair = data[start : start + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):  # least significant first
            number, value = divmod(number, 45)
            characters.append(_ALPHABET[value])
    return "".join(characters)


def decode(text: str) -> bytes:
    """The bytes that `text` stands for. No two texts stand for the same bytes.

    Raises:
        ValueError: a character outside the alphabet, a length that cannot be, or a group above what its bytes hold
            (RFC 9285 sections 4 and 6: such input is to be refused). The text is not repeated.
    """
    data = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        number = 0
        for char in reversed(group):
            if char not in _VALUES:
                raise ValueError(f"expected characters of Base45, got another within group {start // 3 + 1}")
            number = number * 45 + _VALUES[char]
        size = len(group) - 1
        if size == 0 or number >= 1 << (8 * size):
            raise ValueError(f"expected Base45, got a group that stands for no bytes at group {start // 3 + 1}")
        data += number.to_bytes(size, "big")
    return bytes(data)
