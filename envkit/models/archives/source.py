"""The bytes of an archive: who reads them is told how far, and what the reader chokes on is called damage."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from envkit.errors import ModelError

_T = TypeVar("_T")


class Source(io.RawIOBase):
    """A file that tells how much of it is read: skipped members and compressed ones count as what they are."""

    def __init__(self, file: io.FileIO, advance: Callable[[int], None]) -> None:
        self._file = file
        self._advance = advance
        self._size = os.fstat(file.fileno()).st_size

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override] # typeshed: any buffer
        amount = self._file.readinto(buffer) or 0
        self._advance(amount)
        return amount

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        target = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._size}[whence]
        if not 0 <= target <= self._size:
            # Without a number: it is what the archive says that is wrong, not the disk.
            raise OSError("it points outside itself")
        return self._file.seek(target)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def guarded(kind: str, items: Iterator[_T]) -> Iterator[_T]:
    """The same items. What reading them raises is a `ModelError`, or an `OSError` with the number a disk gave it.

    Everything else is caught: on bytes that nobody has to trust, the readers of the standard library raise far more
    than they document (zlib.error, struct.error, ValueError, OverflowError, RuntimeError, MemoryError among them).
    """
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except ModelError:
            raise
        except Exception as error:
            # gzip and bz2 know no better exception than an OSError without a number for bytes that are not theirs.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ModelError(f"the {kind} archive cannot be read: {str(error) or type(error).__name__}") from error
        yield item
