"""The languages Whisper was trained on: codes, English names and other common names.

The table is openai/whisper's (``whisper/tokenizer.py``), in the order of the language tokens.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from types import MappingProxyType

from quest22.errors import UsageError

LANGUAGES = MappingProxyType(
    {
        "en": "english",
        "zh": "chinese",
        "de": "german",
        "es": "spanish",
        "ru": "russian",
        "ko": "korean",
        "fr": "french",
        "ja": "japanese",
        "pt": "portuguese",
        "tr": "turkish",
        "pl": "polish",
        "ca": "catalan",
        "nl": "dutch",
        "ar": "arabic",
        "sv": "swedish",
        "it": "italian",
        "id": "indonesian",
        "hi": "hindi",
        "fi": "finnish",
        "vi": "vietnamese",
        "he": "hebrew",
        "uk": "ukrainian",
        "el": "greek",
        "ms": "malay",
        "cs": "czech",
        "ro": "romanian",
        "da": "danish",
        "hu": "hungarian",
        "ta": "tamil",
        "no": "norwegian",
        "th": "thai",
        "ur": "urdu",
        "hr": "croatian",
        "bg": "bulgarian",
        "lt": "lithuanian",
        "la": "latin",
        "mi": "maori",
        "ml": "malayalam",
        "cy": "welsh",
        "sk": "slovak",
        "te": "telugu",
        "fa": "persian",
        "lv": "latvian",
        "bn": "bengali",
        "sr": "serbian",
        "az": "azerbaijani",
        "sl": "slovenian",
        "kn": "kannada",
        "et": "estonian",
        "mk": "macedonian",
        "br": "breton",
        "eu": "basque",
        "is": "icelandic",
        "hy": "armenian",
        "ne": "nepali",
        "mn": "mongolian",
        "bs": "bosnian",
        "kk": "kazakh",
        "sq": "albanian",
        "sw": "swahili",
        "gl": "galician",
        "mr": "marathi",
        "pa": "punjabi",
        "si": "sinhala",
        "km": "khmer",
        "sn": "shona",
        "yo": "yoruba",
        "so": "somali",
        "af": "afrikaans",
        "oc": "occitan",
        "ka": "georgian",
        "be": "belarusian",
        "tg": "tajik",
        "sd": "sindhi",
        "gu": "gujarati",
        "am": "amharic",
        "yi": "yiddish",
        "lo": "lao",
        "uz": "uzbek",
        "fo": "faroese",
        "ht": "haitian creole",
        "ps": "pashto",
        "tk": "turkmen",
        "nn": "nynorsk",
        "mt": "maltese",
        "sa": "sanskrit",
        "lb": "luxembourgish",
        "my": "myanmar",
        "bo": "tibetan",
        "tl": "tagalog",
        "mg": "malagasy",
        "as": "assamese",
        "tt": "tatar",
        "haw": "hawaiian",
        "ln": "lingala",
        "ha": "hausa",
        "ba": "bashkir",
        "jw": "javanese",
        "su": "sundanese",
        "yue": "cantonese",
    }
)
"""Code → English name, 100 languages."""

_OTHER_NAMES = {
    "burmese": "my",
    "castilian": "es",
    "farsi": "fa",
    "filipino": "tl",
    "flemish": "nl",
    "haitian": "ht",
    "jv": "jw",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "nb": "no",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
}

_CODES = {
    **{code: code for code in LANGUAGES},
    **{name: code for code, name in LANGUAGES.items()},
    **_OTHER_NAMES,
}


_ISO_639_2 = (
    "eng en zho zh chi zh cmn zh deu de ger de spa es rus ru kor ko fra fr fre fr jpn ja por pt "
    "tur tr pol pl cat ca nld nl dut nl ara ar swe sv ita it ind id hin hi fin fi vie vi heb he "
    "ukr uk "
    "ell el gre el msa ms may ms ces cs cze cs ron ro rum ro dan da hun hu tam ta nor no nob no "
    "tha th urd ur hrv hr bul bg lit lt lat la mri mi mao mi mal ml cym cy wel cy slk sk slo sk "
    "tel te fas fa per fa lav lv ben bn srp sr aze az slv sl kan kn est et mkd mk mac mk bre br "
    "eus eu baq eu isl is ice is hye hy arm hy nep ne mon mn bos bs kaz kk sqi sq alb sq swa sw "
    "glg gl mar mr pan pa sin si khm km sna sn yor yo som so afr af oci oc kat ka geo ka bel be "
    "tgk tg snd sd guj gu amh am yid yi lao lo uzb uz fao fo hat ht pus ps tuk tk nno nn mlt mt "
    "san sa ltz lb mya my bur my bod bo tib bo tgl tl mlg mg asm as tat tt haw haw lin ln hau ha "
    "bak ba jav jw sun su yue yue"
)
_PAIRS = _ISO_639_2.split()
_SHORT_CODES = MappingProxyType(dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True)))
"""Codes of three letters, for bibliography and terminology, as media files tag tracks with."""

_TAG = re.compile(r"(?P<language>[a-z]{2,3})(?:[- ](?:[a-z]{2}|[a-z]{4}|[0-9]{3}))*")
"""A language, perhaps with script and region: ``zh-Hant-TW``, ``es-419`` (BCP 47)."""


def language_code(name: str) -> str:
    """The code of a language: ``ru``, ``rus``, ``ru-RU``, ``Russian`` or ``<|ru|>`` → ``ru``.

    Raises :class:`UsageError` with close matches for an unknown language.
    """
    key = name.strip().removeprefix("<|").removesuffix("|>").strip().lower().replace("_", " ")
    if key in _CODES:
        return _CODES[key]
    tag = _TAG.fullmatch(key)
    if tag and (code := _CODES.get(tag["language"]) or _SHORT_CODES.get(tag["language"])):
        return code
    near = get_close_matches(key, _CODES, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "for example en, ru or German"
    raise UsageError(f"unknown language {name!r}: expected one of Whisper's 100 languages, {hint}")


def language_name(code: str) -> str:
    """The English name of a code; the code itself if Whisper does not have it."""
    return LANGUAGES.get(code, code)


def track_language(tag: str | None) -> str | None:
    """A track's language by its tag: ``eng``, ``en-US``, ``English`` → ``en``; None: unknown."""
    code = (tag or "").strip().lower().replace("_", "-").split("-")[0]
    if code in ("", "und", "mul", "zxx", "mis"):
        return None
    named = {name: short for short, name in LANGUAGES.items()}
    return _SHORT_CODES.get(code) or named.get(code) or code
