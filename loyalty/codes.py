"""Single-use codes of coupons and vouchers: characters that cannot be misread, and a check character.

The check character is that of the hybrid systems of ISO/IEC 7064:2003 (MOD M+1,M), which the standard gives for M = 10
and M = 36; ours has M = 30, since six letters and digits are left out. 31 is a prime as 11 and 37 are, so the same
proof holds: every single wrong character is found, and at each place every swap of neighbours but that of one pair.
"""

from __future__ import annotations

from loyalty.errors import RewardRefused

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""30 characters: no 0 and O, no 1, I and L, no U (which is read as V)."""

MAX_PREFIX = 4
CODE_LENGTHS = range(8, 21)
"""Characters of a whole code, check character included: 8 are typed without a mistake, 20 fit on one line."""

_LOOKALIKES = str.maketrans({" ": None, "-": None})


def check_character(text: str, alphabet: str = ALPHABET) -> str:
    """The check character that follows `text`, by ISO/IEC 7064 MOD M+1,M with M = len(alphabet).

    Raises:
        ValueError: a character is not in `alphabet`.
    """
    modulus = len(alphabet)
    total = modulus
    for character in text:
        total = (total + alphabet.index(character)) % modulus or modulus
        total = total * 2 % (modulus + 1)
    return alphabet[(1 - total) % modulus]


def make_code(prefix: str, serial: int, length: int = 12) -> str:
    """The code with `prefix` for a number that is used once: prefix, number, check character.

    Args:
        serial: below 30 to the power of the characters that are left; chosen at random so that codes are not guessed.

    Raises:
        ValueError: the number does not fit, or the length is not allowed.
    """
    room = length - len(prefix) - 1
    if length not in CODE_LENGTHS or room < 1 or not 0 <= serial < len(ALPHABET) ** room:
        raise ValueError(f"expected a number that fits into {room} characters of a code of {length}")
    digits = ""
    for _ in range(room):
        serial, digit = divmod(serial, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return prefix + digits + check_character(prefix + digits)


def read_code(text: str) -> str:
    """A code as typed or scanned, in its one written form.

    Raises:
        RewardRefused: `coupon_invalid`: it is too short or long, or mistyped.
    """
    code = text.translate(_LOOKALIKES).upper()
    if len(code) not in CODE_LENGTHS:
        raise RewardRefused(
            "coupon_invalid", f"expected a code of {CODE_LENGTHS[0]} to {CODE_LENGTHS[-1]} characters, got {len(code)}"
        )
    if any(character not in ALPHABET for character in code) or check_character(code[:-1]) != code[-1]:
        raise RewardRefused("coupon_invalid", "this code is mistyped: its check character does not fit")
    return code
