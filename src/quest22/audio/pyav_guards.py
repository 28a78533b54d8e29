"""What PyAV and FFmpeg need to be safe with foreign media."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame

MAX_ALLOCATION_BYTES = 128 << 20
"""The index of 30 hours of AAC in an MP4 file, for example."""


@cache
def limit_allocations() -> None:
    """Let FFmpeg take no more memory at once, however large a table a file claims to have.

    PyAV has no name for that; the function is looked up in the library that it has loaded.
    """
    import av.packet

    with suppress(OSError, AttributeError):
        limit = ctypes.CDLL(av.packet.__file__).av_max_alloc
        limit.argtypes, limit.restype = [ctypes.c_size_t], None
        limit(MAX_ALLOCATION_BYTES)


def tag_options() -> dict[str, Any]:
    """PyAV before 19 fails by default on tags that are not UTF-8."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def use_plain_layout(context: AudioCodecContext) -> None:
    """Replace an order of channels of the file's own by their number, before the decoder opens.

    PyAV frees the list of channels that such a layout has once with each frame, though there is one
    only: the process would crash. Channels are mixed or picked by number, whatever their names.
    """
    layout = context.layout
    if "(" in layout.name:
        context.layout = f"{layout.nb_channels} channels"


def keep_custom_layout(frame: AudioFrame) -> None:
    """Let PyAV's copy of a channel layout in an order of its own live for ever.

    Copy and frame would both free the same list of channels. Such orders in frames are rare: see
    :func:`use_plain_layout`.
    """
    if "(" in frame.layout.name:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(frame.layout))
