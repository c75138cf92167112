"""Bytes from a server, as every transfer takes them: paced, watched, and looked at whether they are a file's at all."""

from __future__ import annotations

from contextlib import suppress

from envkit.errors import ModelError
from envkit.models.model import Mismatch, WrongBytesError
from envkit.models.transfer import answers
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.http import Reply
from envkit.models.transfer.line import Line
from envkit.models.transfer.watch import Watch


def pull(reply: Reply, watch: Watch, line: Line, most: int, *, first: bool) -> bytes:
    """What has arrived, ``most`` bytes of it; ``first`` where these are the file's first.

    Raises:
        TransientError: the connection broke, or next to nothing comes.
        ModelError: it is a page in place of the file, or time to stop.
    """
    chunk = reply.read(line.limiter.chunk if line.limiter else most)
    line.crew.check()
    if first and answers.looks_like_html(chunk, labelled=reply.html):
        raise answers.not_a_model()
    watch.came(len(chunk))
    line.received.amount += len(chunk)
    if line.limiter and chunk:
        line.crew.pause(delay := line.limiter.delay(len(chunk)))
        watch.paused(delay)
    return chunk


def check_size(reply: Reply, expected: int | None) -> None:
    """Raise `WrongBytesError` where the server has a file of another size."""
    if expected is not None and reply.size is not None and reply.size != expected:
        mismatch = Mismatch("size", str(expected), str(reply.size))
        raise unless_a_page(reply, WrongBytesError("the server has a file of another size", (mismatch,)))


def unless_a_page(reply: Reply, error: ModelError) -> ModelError:
    """Why an answer will not do: a page in the file's place says more than that it is another file."""
    with suppress(TransientError):
        if reply.html and reply.start == 0 and answers.looks_like_html(reply.read(1024), labelled=True):
            return answers.not_a_model()
    return error


def short(got: int, of: int) -> TransientError:
    return TransientError(f"the transfer ended after {got} of {of} bytes")


def differ(one: str | None, other: str | None) -> bool:
    """Whether two validators name different versions. One that is missing says nothing."""
    return one is not None and other is not None and one != other
