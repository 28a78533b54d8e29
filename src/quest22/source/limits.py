"""What a source may claim or hold: every reader is held to these limits.

Sizes, numbers and names that come from outside are believed up to here. What exceeds a limit is one
Failure (a row, a line, a file), and reading goes on after it. The table in ``docs/streaming.md``
says the same to users.
"""

from __future__ import annotations


class LimitError(ValueError):
    """Something from outside claims what cannot be, or is beyond a limit; the message explains."""


KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# Tar files
MAX_MEMBER_BYTES = 2 * GIB
"""A recording inside a tar; and all members of one row together."""
MAX_SIDE_FILE_BYTES = 16 * MIB
"""A member of a tar that is no recording: text, JSON, an image."""
MAX_ROW_MEMBERS = 1_000
"""Members of one row."""
MAX_MEMBER_NAME_BYTES = 64 * KIB
"""A long name, or a link's target, that precedes a member."""
MAX_TAR_HEADER_BYTES = 1 * MIB
"""The extended (PAX) header of a member, and the map of a sparse one."""

# Compressed files
MAX_XZ_BYTES = 256 * MIB
"""What unpacking xz may take."""

# JSON lines and CSV
MAX_LINE_BYTES = 64 * MIB
"""A line of text, an item of a JSON list, a record of CSV; it may hold a recording in base64."""
MAX_RECORD_LINES = 256
"""Lines of one record of CSV with quoted line ends."""
MAX_JSON_VALUES = 4_000_000
"""Values in a line of JSON, samples included: four minutes at 16 kHz."""
MAX_JSON_CONTAINERS = 200_000
"""Lists and objects in a line of JSON."""
MAX_JSON_DEPTH = 128
"""Levels of lists and objects in a line of JSON."""

# Parquet
MAX_FOOTER_BYTES = 32 * MIB
"""The metadata at the end of a file."""
MAX_PAGE_BYTES = 512 * MIB
"""A page, compressed or not; and what is unpacked for one row."""
MAX_PAGE_RATIO = 1_000
"""How many times larger than compressed a page may be if it is larger than ``MIN_RATIO_BYTES``."""
MIN_RATIO_BYTES = 64 * MIB
MAX_PAGE_VALUES = 1 << 26
"""Values in a page: an hour of samples at 16 kHz."""
MAX_DICTIONARY_VALUES = 1 << 22
"""Values in the dictionary of a column chunk."""
MAX_ROWS_PER_BYTE = 8
"""How many rows a row group may claim for each of its bytes, above ``MIN_CLAIMED_ROWS``."""
MIN_CLAIMED_ROWS = 10_000

# Names
MAX_KEY_CHARS = 1_000
"""A row's key; longer ones are replaced by split, file and row number."""
MAX_BRACE_FILES = 1_000_000
"""Addresses that one pattern such as ``{000..010}`` may stand for."""

# Web servers
MAX_WEB_FILE_BYTES = 16 << 40
"""The size that a server may state for a file."""
MAX_REDIRECTS = 10
"""Redirects from one address."""
MAX_BODY_RATIO = 200
"""How many times larger than sent a body may be that a server packs (``Content-Encoding``)."""
