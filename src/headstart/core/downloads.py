"""Downloads from the Hugging Face hub with limits of time and size, and the errors of failed ones.

The client is huggingface_hub, whose timeouts stop neither a hub that sends a byte per second nor one that asks to wait
for a day. ``HF_HUB_DOWNLOAD_TIMEOUT``, in seconds (10), limits a connection and a silence; the limit on slowness is
derived from it.
"""

from __future__ import annotations

import errno
import hashlib
import http
import importlib
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.core.errors import HeadstartError, shown
from headstart.core.files import FULL, writing

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo, HfApi, ModelInfo

SLOW = 1.5  # timeouts, after each of which `LEAST` bytes must have arrived or a response be complete
LEAST = 2**16
MOST = 2**27  # bytes of a list of files, and of a file whose length is not announced
INSTEAD = "set HF_HUB_CACHE to a folder on another disk"  # where the cache cannot be written
COMMIT = re.compile(r"[0-9a-f]{40}")
WAITS = re.compile(r"(?:^|\bt=)\s*(\d+)\s*(?:;|$)")  # seconds, in Retry-After or as t in RateLimit
# Valid names of files in the cache: without slashes, and not only dots.
TAG = re.compile(r'(W/)?"?(?!\.+"?$)[\w.+=:-]+"?')


NO_ANSWERS = {
    "ProxyError": "the proxy refuses",
    "ConnectError": "no connection",
    "TimeoutException": "silent for {seconds:g} seconds",
}
BAD_ANSWERS = {
    "TooManyRedirects": "redirections without an end",
    "UnsupportedProtocol": "a redirection out of the web",
    "InvalidURL": "a redirection to no address",
    "ProtocolError": "broken off, or no HTTP",
    "NetworkError": "broken off",
    "FileMetadataError": "a file without its commit or hash",
    "RecursionError": "JSON too deep",
    **dict.fromkeys(("AttributeError", "KeyError", "TypeError", "ValueError"), "not what a hub answers"),
}


class DownloadError(Exception):
    """The hub sent no response, an invalid one, or one too slowly; the text says which, and why.

    advice: what to do, in the imperative and without a full stop.
    """

    def __init__(self, what: str, endpoint: str, reason: str, advice: str) -> None:
        super().__init__(f"{what} {endpoint} ({reason})")
        self.advice = advice


class _BadAnswerError(Exception):
    """An invalid response."""


class _SlowError(Exception):
    """Too few bytes in too much time."""


@contextmanager
def limited(endpoint: str) -> Iterator[None]:
    """Limit the time and size of this thread's requests to the hub.

    huggingface_hub's own errors pass unchanged if a repository or a revision does not exist, is private, or has an
    invalid name.

    Raises:
        DiskError: the hub's cache cannot be written.
        DownloadError: no response, an invalid one, or one too slow.
    """
    from huggingface_hub import constants, errors

    watch = _Watch(constants.HF_HUB_DOWNLOAD_TIMEOUT)
    _put_hooks()
    xet, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True  # a client of its own, without these limits
    token = _watch.set(watch)
    try:
        yield
    except (HeadstartError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError):
        raise
    except Exception as error:
        if watch.late is None and (fault := _disk_fault(error)) is not None:
            with writing(_unwritten(fault), watch.length, instead=INSTEAD):
                raise fault from error
        raise _named(watch, watch.late or error, endpoint) from error
    finally:
        watch.stop()
        _watch.reset(token)
        constants.HF_HUB_DISABLE_XET = xet


def _disk_fault(error: Exception) -> OSError | None:
    """Return the error of the local disk behind what the client raised; None if it is the hub's.

    The client's own errors have no number. Below one of the network's, only a number that no connection has counts.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error
    for fault in _causes(error):
        if isinstance(fault, OSError) and fault.errno in (*FULL, errno.EFBIG, errno.EROFS):
            return fault
    return None


def _unwritten(fault: OSError) -> Path:
    """Return the path to report: the cache's folder, whose files have hashes for names, or a file elsewhere."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    path = cache if fault.filename is None else Path(os.fsdecode(fault.filename))
    return cache if cache in path.parents else path


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from, or while handling, outermost first."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


def listed(info: ModelInfo | DatasetInfo) -> list[str]:
    """Return the names of a repository's files. Must be called inside :func:`limited`."""
    names = [file.rfilename for file in info.siblings or []]
    for name in names:
        if not isinstance(name, str) or name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise _BadAnswerError(f"a file's name that would leave the cache's folder, {shown(name)}")
    return names


def fetch(api: HfApi, kind: str, repo: str, revision: str | None, commit: str | None, names: Sequence[str]) -> Path:
    """Download files of one commit into the hub's cache, or find them there; return their folder.

    The last name is downloaded last: if it exists, the others do. Downloads are compared with their announced hash;
        files already
    in the cache are not read. Must be called inside :func:`limited`.

    Args:
        api: the hub's client.
        kind: 'model' or 'dataset'.
        repo: name of the repository.
        revision: as requested, None for the main branch; stored as a name of the commit.
        commit: hash of the commit.
        names: of the files.
    """
    from huggingface_hub import try_to_load_from_cache

    if commit is None or not COMMIT.fullmatch(commit):
        raise _BadAnswerError("no commit's name")
    for name in names:
        known = isinstance(try_to_load_from_cache(repo, name, revision=commit, repo_type=kind), str)
        path = Path(api.hf_hub_download(repo, name, repo_type=kind, revision=commit))
        folder = path.parents[name.count("/")]
        if folder.name != commit:
            raise _BadAnswerError("a file of another commit")
        if not known:
            _check_content(path, name)
    if revision != commit:
        again = api.hf_hub_download(repo, names[-1], repo_type=kind, revision=revision)
        if Path(again) != path:
            raise _BadAnswerError("a file of another commit")
    return folder


def _check_content(path: Path, name: str) -> None:
    """Compare a file with the hash that is its name in the cache, if it is one; delete it if they differ.

    The hash is SHA-256, or SHA-1 with or without git's header.
    """
    blob = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        hashes = [hashlib.sha256()]
    elif COMMIT.fullmatch(blob.name):
        hashes = [hashlib.sha1(b"blob %d\0" % blob.stat().st_size), hashlib.sha1()]
    else:
        return
    with blob.open("rb") as file:
        while part := file.read(2**20):
            for digest in hashes:
                digest.update(part)
    if blob.name not in [digest.hexdigest() for digest in hashes]:
        path.unlink()
        blob.unlink(missing_ok=True)
        raise _BadAnswerError(f"{name} has not the content that its hash announces")


class _Watch:
    """Counts received bytes, and aborts downloads that are too slow.

    seconds: limit of a connection or a silence.
    late: why it was aborted.
    status: of the last response, if that was a failure.
    length: bytes of the last file that was sent; None before the first, or if its length was not announced.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.late: Exception | None = None
        self.status = 0
        self.received = self.before = 0
        self.length: int | None = None
        self.media_type = ""
        self.timer: threading.Timer | None = None

    def stop(self) -> None:
        """Stop watching."""
        if self.timer:
            self.timer.cancel()

    def wait(self) -> None:
        """Check again later."""
        self.before = self.received
        self.timer = threading.Timer(SLOW * self.seconds, self.look)
        self.timer.daemon = True
        self.timer.start()

    def look(self) -> None:
        """Continue if enough has arrived; else close all connections, since a read from one may never end."""
        from huggingface_hub import close_session

        came = self.received - self.before
        if came >= LEAST:
            self.wait()
            return
        slow = _SlowError(f"{came:,} bytes in {SLOW * self.seconds:g} seconds")
        self.late = _BadAnswerError(_status(self.status)) if self.status else slow
        close_session()

    def check(self) -> None:
        """Raise the reason for which everything was aborted."""
        if self.late:
            raise self.late

    def request(self, request: Any) -> None:
        """Prepare a request: short silences, and no compression, which would hide the length."""
        self.check()
        if self.timer is None:
            self.wait()
        request.headers["Accept-Encoding"] = "identity"
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), self.seconds)

    def response(self, response: Any) -> None:
        """Check the head of a response, and count its body."""
        self.check()
        headers = response.headers
        self.status = response.status_code if response.status_code >= 400 else 0
        self.media_type = headers.get("Content-Type", "").partition(";")[0][:40]
        if self.status:
            waits = WAITS.findall(f"{headers.get('Retry-After', '')};{headers.get('RateLimit', '')}")
            longest = max((int(wait) for wait in waits), default=0)
            if longest > self.seconds:  # the client would sleep that long
                raise _BadAnswerError(f"{_status(self.status)}, to be asked again in {longest:,} seconds")
        if headers.get("Content-Encoding", "identity") != "identity":
            raise _BadAnswerError(f"packed as {headers['Content-Encoding'][:20]}, though asked not to")
        if response.request.method == "HEAD":
            for name in ("ETag", "X-Linked-Etag", "X-Repo-Commit"):
                if name in headers and not TAG.fullmatch(headers[name]):
                    raise _BadAnswerError(f"a header {name} that would leave the cache's folder")
        length = headers.get("Content-Length")
        self.length = int(length) if length and "/api/" not in response.request.url.path else None
        most = MOST if self.length is None else self.length
        response.stream = self.counted(response.stream, most, response.status_code < 300)

    def counted(self, stream: Any, most: int, good: bool) -> Any:
        # httpx or its successor, depending on the version of huggingface_hub
        client = importlib.import_module(type(stream).__module__.partition(".")[0])
        watch = self

        class Counted(client.SyncByteStream):  # type: ignore[name-defined, misc]  # a module imported here
            def __iter__(self) -> Iterator[bytes]:
                came = 0
                for part in stream:
                    came += len(part)
                    watch.received += len(part)
                    watch.check()
                    if came > most:
                        raise _BadAnswerError(f"more than {most:,} bytes")
                    yield part
                watch.received += LEAST if good else 0  # a complete response is progress, however short

            def close(self) -> None:
                stream.close()

        return Counted()


_watch: ContextVar[_Watch | None] = ContextVar("_watch", default=None)


@dataclass(frozen=True)
class _Hooked:
    """Creates the hub's client as before, with hooks that are active only inside :func:`limited`."""

    make: Any

    def __call__(self) -> Any:
        client = self.make()
        client.event_hooks = {
            "request": [*client.event_hooks["request"], _request],
            "response": [*client.event_hooks["response"], _response],
        }
        return client


def _request(request: Any) -> None:
    if watch := _watch.get():
        watch.request(request)


def _response(response: Any) -> None:
    if watch := _watch.get():
        watch.response(response)


def _put_hooks() -> None:
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    made = _http._GLOBAL_CLIENT_FACTORY  # a user may have set one, with proxies or certificates
    if not isinstance(made, _Hooked):
        set_client_factory(_Hooked(made))


def _named(watch: _Watch, error: Exception, endpoint: str) -> DownloadError:
    """Return what went wrong, from the error and its causes."""
    # By name: the client's errors are those of httpx or of its successor.
    kinds = {kind.__name__: fault for fault in reversed(_causes(error)) for kind in type(fault).__mro__}
    if "_SlowError" in kinds:
        return DownloadError("gave up on", endpoint, str(kinds["_SlowError"]), "try again later")
    for kind, reason in NO_ANSWERS.items():
        if kind in kinds and "SSLError" not in kinds:
            return DownloadError("no answer from", endpoint, reason.format(seconds=watch.seconds), "check the network")
    if "OfflineModeIsEnabled" in kinds:
        return DownloadError("no answer from", endpoint, "HF_HUB_OFFLINE is set", "unset HF_HUB_OFFLINE")
    return DownloadError(
        "bad answer from", endpoint, _fault(kinds, error, watch.media_type), "check HF_ENDPOINT or try again later"
    )


def _fault(kinds: Mapping[str, BaseException], error: Exception, media_type: str) -> str:
    """Return what is wrong with a response."""
    from huggingface_hub import errors

    if "_BadAnswerError" in kinds:
        return str(kinds["_BadAnswerError"])
    if "SSLError" in kinds:
        return f"no TLS that can be trusted: {kinds['SSLError'].args[-1]}"
    if isinstance(failed := kinds.get("HfHubHTTPError"), errors.HfHubHTTPError):
        return _status(failed.response.status_code)
    if sizes := re.search(r"should be of size (\d+) but has size (\d+)", str(error)):
        return f"{sizes[2]} bytes of {sizes[1]}"
    if "JSONDecodeError" in kinds or "UnicodeDecodeError" in kinds:
        return f"no JSON but {media_type}" if media_type and "json" not in media_type else "no JSON"
    return next((reason for kind, reason in BAD_ANSWERS.items() if kind in kinds), type(error).__name__)


def _status(code: int) -> str:
    """Describe a status code.

    >>> _status(429), _status(599)
    ('status 429, Too Many Requests', 'status 599')
    """
    known = code in list(http.HTTPStatus)
    return f"status {code}, {http.HTTPStatus(code).phrase}" if known else f"status {code}"
