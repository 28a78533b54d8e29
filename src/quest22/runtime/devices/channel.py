"""Messages between this process and those that it has started, over their standard streams."""

from __future__ import annotations

import struct
import threading
from typing import IO, Any

from quest22.runtime.devices.codec import decode, encode
from quest22.runtime.devices.messages import MESSAGES

_NUMBER = struct.Struct("<Q")


class Channel:
    """Both directions; any thread may send, one thread receives.

    A message is a number of parts, then the length and the bytes of each.
    """

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        self._source, self._target = source, target
        self._sending = threading.Lock()

    def send(self, message: object) -> None:
        """Send a message at once; raises ``OSError`` if nobody reads it."""
        parts = encode(message)
        with self._sending:
            self._target.write(_NUMBER.pack(len(parts)))
            for part in parts:
                self._target.write(_NUMBER.pack(len(part)))
                self._target.write(part)
            self._target.flush()

    def receive(self) -> Any:
        """The next message; raises ``EOFError`` if the other process has ended."""
        count = self._number()
        return decode([self._part() for _ in range(count)], MESSAGES)

    def _part(self) -> bytearray:
        part = bytearray(self._number())
        self._fill(part)
        return part

    def _number(self) -> int:
        head = bytearray(_NUMBER.size)
        self._fill(head)
        return int(_NUMBER.unpack(head)[0])

    def _fill(self, part: bytearray) -> None:
        left = memoryview(part)
        while left:
            count = self._source.readinto(left)  # type: ignore[attr-defined]
            if not count:
                raise EOFError("the other process has ended")
            left = left[count:]
