"""Messages between the service and a decode worker: JSON, samples and bytes, each with its kind and length in front.

Nothing that a worker says is trusted: lengths are bounded, JSON is not pickle, and a deadline holds for every byte.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

JSON, SAMPLES, BYTES = 1, 2, 3  # kinds
MAX_JSON = 32 * 1024**2
MAX_BLOCK = 64 * 1024**2
MAX_ARRAY = 512 * 1024**2
MAX_DESCRIPTORS = 1

_HEAD = struct.Struct(">BI")
_SECONDS = struct.Struct(">d")
Message = dict[str, Any]


class ChannelClosed(Exception):
    """The other side is gone."""


class ChannelTimeout(Exception):
    """The other side did not answer before the deadline."""


class ProtocolError(Exception):
    """The other side sent what it must not."""


class Channel:
    """One end of a connection. `deadline` (of `time.monotonic`) holds until it is set again; None waits for ever."""

    def __init__(self, connection: socket.socket) -> None:
        self.deadline: float | None = None
        self._socket = connection

    def close(self) -> None:
        self._socket.close()

    # Sending

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message, with open files."""
        content = json.dumps(message).encode()
        head = _HEAD.pack(JSON, len(content))
        with _translated():
            self._set_timeout()
            if descriptors:
                socket.send_fds(self._socket, [head], list(descriptors))
                self._socket.sendall(content)
            else:
                self._socket.sendall(head + content)

    def send_samples(self, seconds: float, samples: np.ndarray) -> None:
        """Send a block `[samples]` float32; `seconds` of the file are decoded with it."""
        content = np.ascontiguousarray(samples, np.float32).data.cast("B")
        self._send_parts(_HEAD.pack(SAMPLES, _SECONDS.size + len(content)), _SECONDS.pack(seconds), content)

    def send_bytes(self, content: bytes | memoryview) -> None:
        self._send_parts(_HEAD.pack(BYTES, len(content)), content)

    def send_array(self, array: np.ndarray) -> None:
        """Send an array; the receiver knows its shape from a message before it."""
        content = np.ascontiguousarray(array, np.float32).data.cast("B")
        for start in range(0, len(content), MAX_BLOCK):
            self.send_bytes(content[start : start + MAX_BLOCK])

    def _send_parts(self, *parts: bytes | memoryview) -> None:
        with _translated():
            self._set_timeout()
            for part in parts:
                self._socket.sendall(part)

    # Receiving

    def receive(self) -> Message:
        """Return the next message, which must be JSON."""
        kind, size = self.head()
        if kind != JSON:
            raise ProtocolError(f"a block of kind {kind} instead of a message")
        return self.message(size)

    def receive_with_file(self) -> tuple[Message, int | None]:
        """Return the next message with the descriptor of the file that came with it, if any."""
        with _translated():
            self._set_timeout()
            start, descriptors, _, _ = socket.recv_fds(self._socket, _HEAD.size, MAX_DESCRIPTORS)
        if not start:
            raise ChannelClosed
        rest = bytearray(_HEAD.size - len(start))
        self.fill(memoryview(rest))
        _, size = _HEAD.unpack(start + rest)
        return self.message(size), descriptors[0] if descriptors else None

    def head(self) -> tuple[int, int]:
        """Return kind and size of the next block."""
        content = bytearray(_HEAD.size)
        self.fill(memoryview(content))
        kind, size = _HEAD.unpack(content)
        return kind, size

    def message(self, size: int) -> Message:
        """Return the message of `size` bytes whose head was read."""
        if size > MAX_JSON:
            raise ProtocolError(f"a message of {size} bytes")
        content = bytearray(size)
        self.fill(memoryview(content))
        try:
            message = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ProtocolError("a message that is no JSON") from error
        if not isinstance(message, dict):
            raise ProtocolError("a message that is no object")
        return message

    def block_seconds(self, size: int) -> tuple[float, int]:
        """Return the seconds of a block of samples whose head was read, and how many samples follow."""
        num_bytes = size - _SECONDS.size
        if not 0 < num_bytes <= MAX_BLOCK or num_bytes % 4:
            raise ProtocolError(f"a block of {size} bytes")
        content = bytearray(_SECONDS.size)
        self.fill(memoryview(content))
        (seconds,) = _SECONDS.unpack(content)
        if not math.isfinite(seconds):
            raise ProtocolError("a block at no time")
        return seconds, num_bytes // 4

    def bytes_of(self, size: int) -> bytes:
        """Return the bytes of a block whose head was read."""
        if size > MAX_BLOCK:
            raise ProtocolError(f"a block of {size} bytes")
        content = bytearray(size)
        self.fill(memoryview(content))
        return bytes(content)

    def receive_array(self, shape: Sequence[int]) -> np.ndarray:
        """Return the array of this shape, float32, that follows."""
        if not all(isinstance(size, int) and size >= 1 for size in shape) or not 1 <= len(shape) <= 2:
            raise ProtocolError("an array of no shape")
        if math.prod(shape) * 4 > MAX_ARRAY:
            raise ProtocolError("an array that is too large")
        array = np.empty(shape, np.float32)
        content = array.data.cast("B")
        position = 0
        while position < len(content):
            kind, size = self.head()
            if kind != BYTES or not 0 < size <= len(content) - position:
                raise ProtocolError("an array with too many bytes")
            self.fill(content[position : position + size])
            position += size
        check_samples(array)
        return array

    def fill(self, content: memoryview) -> None:
        """Fill `content` with the next bytes. Raises ChannelClosed and ChannelTimeout."""
        position = 0
        with _translated():
            while position < len(content):
                self._set_timeout()
                received = self._socket.recv_into(content[position:])
                if received == 0:
                    raise ChannelClosed
                position += received

    def _set_timeout(self) -> None:
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise ChannelTimeout
        self._socket.settimeout(left)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the errors of a socket as ours."""
    try:
        yield
    except TimeoutError as error:
        raise ChannelTimeout from error
    except OSError as error:
        raise ChannelClosed from error


def check_samples(samples: np.ndarray) -> None:
    """Raise ProtocolError for samples that are not finite: a decoder gives none."""
    if not np.isfinite(samples).all():
        raise ProtocolError("samples that are not finite")
