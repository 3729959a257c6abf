"""Build the tokenizer of a model folder safely, with the same ids as transformers' `AutoTokenizer`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import tokenizers
from tokenizers import AddedToken, models

from headstart.core.errors import CheckpointError
from headstart.text import _sentencepiece
from headstart.text import _tokenizer_files as files_of
from headstart.text._tokenizer_classes import (
    CLASSES,
    GENERIC,
    OF_FAMILY,
    UNKNOWN_RULES,
    XLM_ROBERTA,
    Scored,
    Settings,
    Source,
    Token,
    TokenizerClass,
)
from headstart.text._tokenizer_files import Files
from headstart.text._tokenizer_safety import (
    charsmap_of,
    check,
    check_added,
    check_charsmap,
    check_ids,
    check_vocabulary,
    normalizers_of,
)

# In the order in which transformers gives them ids.
ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
GENERIC_NAMES = {GENERIC, "PreTrainedTokenizer", "TokenizersBackend", "PythonBackend"}
# Vocabularies with an unknown token; every such tokenizer is tested with an unknown piece before it is used.
PROBE = "a ꙮ𒀀"


@dataclass(frozen=True)
class Opened:
    """A tokenizer and the ``tokenizer_config.json`` from which transformers builds the same one."""

    backend: tokenizers.Tokenizer
    settings: dict[str, object]


@lru_cache(maxsize=2)  # a comparison opens a backbone many times, and 250,000 pieces take seconds
def build(files: Files) -> Opened:
    """Build a folder's tokenizer.

    Raises:
        CheckpointError: files are missing, damaged or not known to be safe, or the class is unknown.
    """
    name = _class_name(files)
    kind = CLASSES.get(name)
    stored = files.json(files_of.TOKENIZER)
    where = str(files.path(files_of.TOKENIZER))
    padding = stored.get("padding")
    if stored:
        stored = check(stored, where)
    elif kind is None or not all(file in files for file in kind.files):
        raise CheckpointError(_what_is_missing(files, name, kind))
    else:
        where = str(files.path(kind.files[0]))
    try:
        return _build(files, name, kind, stored, str(padding["pad_token"]) if isinstance(padding, dict) else "")
    except CheckpointError:
        raise
    except BaseException as error:  # a damaged file makes the library panic, which is not an Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise CheckpointError(f"{where} is not a readable tokenizer ({error}); fetch the model again.") from None


def _build(files: Files, name: str, kind: TokenizerClass | None, stored: dict[str, object], padding: str) -> Opened:
    config = _settings(files)
    if kind is None and padding:
        config.setdefault("pad_token", padding)
    settings = Settings(config, str(files.path(files_of.SETTINGS)))
    added = _added_tokens(files, config, stored)
    roles = _roles(config, kind, {str(token): token for token in added.values()})
    extra = _extra_tokens(config)
    options: dict[str, object] = {}
    if kind is None:
        backend = tokenizers.Tokenizer.from_str(json.dumps(stored))
    else:
        source = _source(files, name, kind, stored, roles)
        if "extra_special_tokens" not in config:
            extra = list(source.extra)
        options = {option: config.get(option, default) for option, default in kind.options.items()}
        if source.unknown is not None:
            options["unk_id"] = source.unknown
        backend = kind.build(source, settings, roles)
        if source.template is not None:
            backend.post_processor = source.template
    check_added([*map(str, added.values()), *map(str, extra)], settings.where)
    backend.encode_special_tokens = settings.flag("split_special_tokens", False)
    _add_tokens(backend, added, roles, extra)
    if kind is not None:
        kind.finish(backend, roles, settings)
    backend.encode(PROBE)
    known: dict[str, object] = {role: str(token) for role, token in roles.items() if role in ROLES}
    # tokenizer.json contains the added tokens; a second list could contradict it.
    saved = {key: value for key, value in files.json(files_of.SETTINGS).items() if key != "added_tokens_decoder"}
    return Opened(backend, {**saved, **options, **known, "tokenizer_class": GENERIC if kind is None else name})


def _class_name(files: Files) -> str:
    """Choose the class as transformers does: the one named in the files, otherwise that of the model family."""
    model = files.json(files_of.MODEL)
    family = OF_FAMILY.get(files.model_type or str(model.get("model_type")))
    named = files.json(files_of.SETTINGS).get("tokenizer_class") or model.get("tokenizer_class")
    if family == GENERIC or not named:
        return family or GENERIC
    name = str(named).removesuffix("Fast")
    if name in UNKNOWN_RULES:
        raise CheckpointError(
            f"{files.folder}: the tokenizer is a {name}, which splits words by rules that Headstart does not "
            "implement; choose a model whose tokenizer.json contains all of its rules."
        )
    return GENERIC if name in GENERIC_NAMES or name == GENERIC.removesuffix("Fast") else name


def _what_is_missing(files: Files, name: str, kind: TokenizerClass | None) -> str:
    if kind is None and any(file in files for known in CLASSES.values() for file in known.files):
        return (
            f"{files.folder} has a vocabulary, but neither tokenizer_config.json nor config.json says how to read it "
            f"(found {name!r}); name a 'tokenizer_class', for example \"BertTokenizer\"."
        )
    needed = " or " + " with ".join(kind.files) if kind else ""
    return f"no tokenizer.json{needed} in {files.folder}: the tokenizer is needed in addition to the weights."


def _source(
    files: Files, name: str, kind: TokenizerClass, stored: dict[str, object], roles: Mapping[str, Token]
) -> Source:
    """Read the vocabulary from tokenizer.json, or from the separate files of older models."""
    if not stored:
        return _old_source(files, kind, roles)
    where = str(files.path(files_of.TOKENIZER))
    model = stored["model"]
    assert isinstance(model, dict)  # checked
    if model["type"] != kind.model:
        raise CheckpointError(
            f"{where} holds a {model['type']} model, but {name} is one of {kind.model}; if the file is right, name the "
            f"class {GENERIC} under tokenizer_class in tokenizer_config.json."
        )
    vocabulary = model["vocab"]
    scored: Scored = [(str(piece), float(score)) for piece, score in vocabulary] if kind.model == "Unigram" else []
    maps = [charsmap_of(part, where) for part in normalizers_of(stored) if part.get("type") == "Precompiled"]
    empty = {"model": {"type": "BPE", "vocab": {}, "merges": []}, "post_processor": stored.get("post_processor")}
    return Source(
        kind.model,
        {} if scored else vocabulary,
        scored,
        [_pair(merge) for merge in model.get("merges", ())],
        maps[0] if maps else None,
        tokenizers.Tokenizer.from_str(json.dumps(empty)).post_processor,
    )


def _old_source(files: Files, kind: TokenizerClass, roles: Mapping[str, Token]) -> Source:
    """Read the separate vocabulary files of older models."""
    paths = [str(files.path(file)) for file in kind.files]
    if kind.model == "Unigram":
        parsed = _sentencepiece.parse(files.read(kind.files[0]))
        scored = parsed.scored
        if kind is XLM_ROBERTA:
            # Its ids are those of fairseq, which has four tokens before the pieces and one after them.
            first = ("bos_token", "pad_token", "eos_token", "unk_token")
            scored = [(str(roles[role]), 0.0) for role in first] + scored[3:] + [(str(roles["mask_token"]), 0.0)]
        check_vocabulary([piece for piece, _ in scored], paths[0])
        if parsed.charsmap is not None:
            check_charsmap(parsed.charsmap, paths[0])
        extra = tuple(AddedToken(piece, normalized=False, special=special) for piece, special in parsed.added)
        return Source(kind.model, {}, scored, [], parsed.charsmap, None, extra, parsed.unknown)
    merges: list[tuple[str, str]] = []
    if kind.model == "WordPiece":
        pieces = models.WordPiece.read_file(paths[0])
    else:
        pieces, merges = models.BPE.read_file(*paths)
    check_vocabulary(list(pieces), paths[0])
    check_ids(pieces.values(), paths[0])
    return Source(kind.model, pieces, [], merges)


def _pair(merge: object) -> tuple[str, str]:
    # A value from the file, which may be of any type: one that is not a pair fails to unpack.
    parts = merge.split(" ") if isinstance(merge, str) else map(str, merge)  # type: ignore[call-overload]  # as above
    left, right = parts
    return left, right


def _settings(files: Files) -> dict[str, object]:
    """Merge tokenizer_config.json and, if it lists no added tokens, the older special_tokens_map.json."""
    config = files.json(files_of.SETTINGS)
    older = {} if "added_tokens_decoder" in config else files.json(files_of.ROLES)
    extra = "additional_special_tokens"
    if extra in config and not config.get("extra_special_tokens"):
        config["extra_special_tokens"] = config.pop(extra)
    config |= {key: value for key, value in older.items() if key != extra or "extra_special_tokens" not in config}
    if extra in config and "extra_special_tokens" not in config:
        config["extra_special_tokens"] = config.pop(extra)
    return config


def _added_tokens(files: Files, config: Mapping[str, object], stored: dict[str, object]) -> dict[int, AddedToken]:
    """Return the tokens added to the vocabulary by the ids that the files give them."""
    listed = config.get("added_tokens_decoder")
    if isinstance(listed, dict):
        return {int(number): _token(token, False) for number, token in listed.items()}
    special = {str(_token(config[role], True)) for role in ROLES if config.get(role)}
    special |= set(map(str, _extra_tokens(config)))
    tokens = {}
    for token, number in files.json(files_of.ADDED).items():
        is_special = token in special
        tokens[int(str(number))] = AddedToken(token, normalized=not is_special, special=is_special)
    listed = stored.get("added_tokens")
    for entry in listed if isinstance(listed, list) else ():
        tokens[int(entry["id"])] = _token({key: value for key, value in entry.items() if key != "id"}, False)
    return tokens


def _roles(
    config: Mapping[str, object],
    kind: TokenizerClass | None,
    added: Mapping[str, AddedToken],
) -> dict[str, Token]:
    """Return the token of each role, standard roles first."""
    usual: dict[str, Token] = {} if kind is None else dict(kind.roles)
    roles: dict[str, Token] = {}
    for role in ROLES:
        value = config.get(role)
        if value is None and role in usual:
            roles[role] = usual[role]
        elif value is not None:
            token = value if isinstance(value, str) else _token(value, True)
            flags = usual.get(role)
            if isinstance(flags, AddedToken) and isinstance(token, str) and token not in added:
                token = AddedToken(token, lstrip=flags.lstrip, rstrip=False)
            roles[role] = added.get(str(token), token)
    # Further roles of this model only, such as "image_token".
    named = config.get("extra_special_tokens")
    others = {key: value for key, value in config.items() if key.endswith("_token") and key not in ROLES}
    for key, value in {**others, **(named if isinstance(named, dict) else {})}.items():
        if isinstance(value, str):
            roles[key] = value
    return roles


def _extra_tokens(config: Mapping[str, object]) -> list[Token]:
    listed = config.get("extra_special_tokens")
    if not isinstance(listed, list):
        return []
    return [token if isinstance(token, str) else _token(token, True) for token in listed]


def _token(stored: object, special: bool) -> AddedToken:
    """Parse a token from JSON: a string, or an object with its flags."""
    if isinstance(stored, str):
        return AddedToken(stored, special=special)
    if not isinstance(stored, dict) or not isinstance(stored.get("content"), str):
        raise CheckpointError(f"a special token must be a text or an object with 'content', not {str(stored)[:40]!r}.")
    flags = {key: bool(stored[key]) for key in ("single_word", "lstrip", "rstrip", "normalized") if key in stored}
    return AddedToken(stored["content"], special=bool(stored.get("special", special)), **flags)


def _add_tokens(
    backend: tokenizers.Tokenizer, added: Mapping[int, AddedToken], roles: Mapping[str, Token], extra: list[Token]
) -> None:
    """Add tokens in the order of transformers, which determines the ids of those outside the vocabulary."""
    there = {repr(token) for token in backend.get_added_tokens_decoder().values()}
    new: list[Token] = [token for _, token in sorted(added.items()) if repr(token) not in there]
    known = {token.content for token in backend.get_added_tokens_decoder().values()} | set(map(str, new))
    seen = set()
    for token in [*roles.values(), *extra]:
        # If the same token occurs again with other flags, the last flags are used.
        if str(token) not in known and repr(token) not in seen:
            seen.add(repr(token))
            new.append(token)
    special = set(map(str, roles.values()))
    for number, token in enumerate(new):
        if isinstance(token, str):
            new[number] = AddedToken(token, special=True)
        elif str(token) in special:
            token.special = True
    backend.add_tokens(new)
