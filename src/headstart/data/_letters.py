"""Guess the encoding of bytes that are not UTF-8 from the letters that each encoding would give.

Each language lists its letters, the most frequent first. Bytes are decoded in each of its encodings, and the encoding
is chosen whose letters are the most frequent ones of a language, in plausible words: no capital follows a small letter,
and no symbol is inside a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

# Languages with their own alphabets, in groups that share encodings; among equals the first is chosen.
LETTERS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("cp1252", "mac_roman", "cp850"),
        (
            *("éàèêçôîûâùœïëü", "äöüßé", "áíóéñúü", "ãçáéóíúêâõôà", "àèùòìé", "åäöé", "øåæé", "éëïèöüó"),
            "íáðþöóúýæé",
        ),
    ),
    (
        ("cp1250", "iso8859_2", "cp852"),
        ("ęłąóżśćńź", "íáéřěýčšžůúťňóď", "áéíčšýžúľťôňäďóŕĺ", "éáöóőüíúű", "ăîâşţ", "čšžćđ"),
    ),
    (("cp1254",), ("ıüşçöğâîû",)),
    (("cp1257",), ("āīēšņļūžķģčī", "ėšžųįąčūę", "äõüöšž")),
    (
        ("cp1251", "koi8_r", "cp866", "iso8859_5"),
        ("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", "аиоетнрсвлкдпмзбугъячжшхйцюфщь", "аиоенрсјтукдпмвлзбгчшцхњжђљћфџ"),
    ),
    (("cp1251", "koi8_u"), ("оаинтвріеслкдумпзяьбгчйхюцжїшєфщґ",)),
    (("cp1253", "iso8859_7"), ("αοιετσνηυρπκμλςίόάέγδωήύθχώφβξζψϊ",)),
    (("cp1255",), ("יהולאתרבשמנחדקעפכסגטצזםןךףץ",)),
    (("cp1256", "iso8859_6"), ("ايلمونرتبةعدفهسكقحجأشصطخىضذثزغئإظءآؤ", "ایرندمهتوسبشکگلزخفپعقحجغصطضچذظثژ")),
    (("cp874",), ("านรอกเ่งมย้ัลวดทสตะิีปบคุหแจพ็ชขใไูำ์ืโถซผึธณภศญ",)),
)
# Multi-byte encodings, each with the first bytes of its frequent characters, as ranked by its standard.
COMMON: dict[str, tuple[str, range]] = {
    "cp932": ("cp932", range(0x88, 0x98)),
    "euc_jp": ("euc_jp", range(0xB0, 0xD0)),
    "cp949": ("euc_kr", range(0xB0, 0xC9)),
    "gb18030": ("gb2312", range(0xB0, 0xD8)),
    "big5": ("big5", range(0xA4, 0xC7)),
}
# Alphabets without capitals: they have few letters, so a letter is weaker evidence.
CASELESS = ("יהולאתרבשמנחדקעפכסגטצזםןךףץ", "ايلمونرتبةعدفهسكقحجأشصطخىضذثزغئإظءآؤ")
QUIET = "’‘“”„«»–—…°€£№§\xa0،؛؟¿¡"  # symbols that are no evidence of a language
SIGNS = QUIET + "™®©•·½¼¾²³×†"  # of cp1252, in texts without any accented letter
CONTRACTED = re.compile(r"(s|t|d|m|re|ll|ve)\b", re.IGNORECASE)  # what follows an apostrophe in English
LEAST = 0.2  # a lower mean is not a language


def best(sample: bytes) -> str:
    """Return the encoding whose letters fit best, or '' if none is plausible.

    >>> best("Отличный фильм, рекомендую всем".encode("koi8_r"))
    'koi8_r'
    """
    if _is_punctuation(sample.decode("cp1252", "replace")):
        return "cp1252"
    scored = [(_ideographs(sample, encoding), encoding) for encoding in COMMON]
    for place, (encodings, languages) in enumerate(LETTERS):
        for encoding in encodings:
            text = sample.decode(encoding, "replace")
            scored += [(_alphabet(text, letters) - 0.02 * place * (place < 4), encoding) for letters in languages]
    value, encoding = max(scored, key=lambda pair: pair[0])
    return encoding if value > LEAST else ""


def _is_punctuation(text: str) -> bool:
    """Return whether all non-ASCII characters are punctuation, mostly in plausible places and not inside words."""
    fitting, count = 0, 0
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        if letter not in SIGNS:
            return False
        before, after = text[max(0, place - 1) : place], text[place + 1 : place + 2]
        if letter == "’" and after.isalpha():  # don’t, l’été
            fits = bool(CONTRACTED.match(text, place + 1)) or not text[max(0, place - 2) : place - 1].isalpha()
        elif letter in "’”…™®©»":
            fits = not after.isalpha()
        else:
            fits = not before.isalpha()
        fitting += fits
        count += 1
    return fitting * 2 > count


def _alphabet(text: str, letters: str) -> float:
    """Return the mean score of the non-ASCII letters: about 0.8 for text of the language, at most 1.2."""
    worth = {letter: 1 - 0.6 * place / len(letters) for place, letter in enumerate(letters)}
    latin = "LATIN" in unicodedata.name(letters[0])
    total, count = 0.0, 0
    for before, letter, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if letter.isascii():
            continue
        small = letter.lower()
        if letter.isalpha() or small in worth:
            value = worth.get(small, -1.0)
            beside_ascii = any(other.isascii() and other.isalpha() for other in (before, after))
            if not latin and beside_ascii:
                value = -1.0  # no word mixes scripts
            elif latin and not beside_ascii and before.isalpha() and after.isalpha():
                value = min(value, -0.3)  # Latin words have plain letters too
            if letter != small and before.isalpha():
                value = 0.95 * value if before.isupper() else min(value, -0.5)  # a wrong encoding mixes capitals in
            total += value
            count += 1
        elif letter not in QUIET or (letter in "€£№§°" and before.isalpha()):
            inside = before.isalpha() or letter == "\ufffd" or not letter.isprintable()
            total -= 2 if inside else 0.5
            count += 1
    return total / count + (0.15 if letters in CASELESS else 0) if count else -1.0


def _ideographs(sample: bytes, encoding: str) -> float:
    """Return the mean score of the characters of a multi-byte encoding, at most 1.2."""
    text = sample.decode(encoding, "replace")
    common = _common(encoding)
    japanese = encoding in ("cp932", "euc_jp")
    kana = sum("\u3041" <= letter <= "\u30fe" for letter in text)
    total, count = 0.0, 0
    for before, letter, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if letter.isascii() or "\u3000" <= letter <= "\u3020" or "\uff01" <= letter <= "\uff5e":
            continue
        count += 1
        beside_ascii = sum(other.isascii() and other.isalpha() for other in (before, after))
        if letter == "\ufffd":
            total -= 3
        elif beside_ascii == 2:
            total -= 1  # an accented letter and its neighbour, decoded as one character
        elif "\u3041" <= letter <= "\u30fe":
            total += 1.2 if japanese else -1
        elif common(letter):
            # Without kana, apparent Japanese is Chinese or Korean; hangul is reliable evidence, Chinese is not.
            value = 0.5 if japanese and not kana else 1.1 if encoding == "cp949" else 1
            total += value - 0.5 * beside_ascii
        else:
            total -= 1
    return total / count if count else -1.0


def _common(encoding: str) -> Callable[[str], bool]:
    standard, firsts = COMMON[encoding]

    @cache
    def common(letter: str) -> bool:
        try:
            first, *rest = letter.encode(standard)
        except UnicodeEncodeError:
            return False
        return bool(rest) and first in firsts

    return common
