"""A normalisation map as compiled by SentencePiece, which `tokenizers` reads as a ``Precompiled`` normaliser.

The map is a trie over UTF-8 bytes stored as a double array (Aoe 1989), in the layout of the darts-clone library:
unit 32 bits: 0-7 the byte that leads here, 8 whether a key ends here, 10-30 XOR of this place and the children's base.
The child by a byte is at base XOR byte, and the value of a key that ends at base itself, marked by bit 31.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

ENDS, OFFSET, VALUE = 1 << 8, 10, 1 << 31
BLOCK = 256  # places that the children of one base can take


def compiled(replacements: Mapping[str, str]) -> bytes:
    """Compile a map from texts to their replacements.

    >>> from tokenizers import Tokenizer, models
    >>> import json, base64
    >>> raw = base64.b64encode(compiled({"ａ": "a", "㎏": "kg", "\\u200b": ""})).decode()
    >>> part = {"type": "Precompiled", "precompiled_charsmap": raw}
    >>> stored = json.loads(Tokenizer(models.BPE()).to_str()) | {"normalizer": part}
    >>> Tokenizer.from_str(json.dumps(stored)).normalizer.normalize_str("ａb\\u200b ㎏")
    'ab kg'
    """
    trie: dict[int, Any] = {}
    texts = bytearray()
    for key, value in replacements.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += value.encode() + b"\0"
    units = _double_array(trie)
    return struct.pack("<I", 4 * len(units)) + units.astype("<u4").tobytes() + bytes(texts)


def _double_array(trie: dict[int, Any]) -> np.ndarray:
    """Convert a trie to a double array; node[byte] is a child, node[0] the value of a key that ends there."""
    units = np.zeros(BLOCK, dtype=np.uint32)
    free, fresh = np.ones(BLOCK, dtype=bool), np.ones(BLOCK, dtype=bool)  # places, and bases
    free[0] = False
    waiting = [(0, trie)]
    while waiting:
        place, node = waiting.pop()
        fits = fresh.copy()
        for byte in node:
            fits &= free[np.arange(len(free)) ^ byte]
        base = int(fits.argmax())
        if not fits[base]:
            base = len(units)
            units = np.pad(units, (0, BLOCK))
            free, fresh = (np.pad(array, (0, BLOCK), constant_values=True) for array in (free, fresh))
        fresh[base] = False
        units[place] |= (place ^ base) << OFFSET | (ENDS if 0 in node else 0)
        for byte, child in node.items():
            free[base ^ byte] = False
            units[base ^ byte] = byte or child | VALUE
            if byte:
                waiting.append((base ^ byte, child))
    return units
