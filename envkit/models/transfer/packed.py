"""Bodies that were packed on the way, although the file itself was asked for."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from envkit.models.transfer.answers import TransientError

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS


class Unpacked:
    """The bytes that a body labelled gzip stands for: unpacked if they are packed, as they are where the label lies.

    ``read`` gives the body; it has to bring ``length`` bytes, if that is known.
    """

    def __init__(self, read: Callable[[int], bytes], length: int | None) -> None:
        self._read = read
        self._left = length
        self._coder: zlib._Decompress | None = None
        self._begun = False
        self._rest = b""

    def read(self, amount: int) -> bytes:
        """Up to ``amount`` bytes, none at the end.

        Raises:
            TransientError: the body broke off, or what is packed is damaged.
        """
        while True:
            data = self._rest or self._more(amount)
            if not self._begun:
                self._begun = True
                self._coder = zlib.decompressobj(_GZIP) if data.startswith(_MAGIC) else None
            if self._coder is None:
                return data
            try:
                unpacked = self._coder.decompress(data, amount)
            except zlib.error as error:
                raise TransientError(f"what the server packed cannot be unpacked: {error}") from error
            self._rest = self._coder.unconsumed_tail
            if self._coder.eof and self._coder.unused_data:
                # Packed in several pieces, one behind the other (RFC 1952, 2.2).
                self._rest, self._coder = self._coder.unused_data, zlib.decompressobj(_GZIP)
            if unpacked or not data:
                return unpacked

    def _more(self, amount: int) -> bytes:
        data = self._read(amount)
        if self._left is not None:
            self._left -= len(data)
            if not data and self._left > 0:
                raise TransientError(f"the transfer ended {self._left} bytes too soon")
        return data
