"""Which rows of a dataset are streamed, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from quest22.errors import UsageError
from quest22.settings.forms import NAMES, PATHS
from quest22.settings.memory import MEMORY_BYTES, MemorySettings
from quest22.settings.option import check_at_least, declared, option

ALL_COLUMNS = "*"
"""Among ``keep_columns``: every column that holds no audio and no bytes."""

ROWS, COLUMNS = "Rows", "Columns"


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Which rows of a dataset are streamed, and what its columns mean.

    The shuffle buffer holds ``buffer_size`` rows, or ``buffer_bytes`` if that is reached first;
    :meth:`within` derives the bytes from ``memory``. They decide the order of a shuffled run.
    ``token`` is the one of :class:`quest22.settings.EngineSettings`. Relative paths are in
    ``working_folder``; None: in the process' own.
    """

    path: str = field(
        metadata=declared(
            name="dataset",
            positional=True,
            help="A dataset on the Hub or in a folder, or a format. With [cyan]--data-files[/]: "
            "[cyan]parquet webdataset audiofolder json csv[/].",
            metavar="DATASET",
        )
    )
    config: str | None = option(
        None,
        positional=True,
        help="The dataset's configuration, if it has several.",
        metavar="CONFIG",
    )
    split: str = option(
        "train",
        flags="--split",
        help="The split to stream.",
        metavar="SPLIT",
        panel=ROWS,
    )
    revision: str | None = option(
        None,
        name="dataset_revision",
        flags=("--revision", "--dataset-revision"),
        help="Branch, tag or commit of the dataset.",
        metavar="REV",
        panel=ROWS,
    )
    data_files: tuple[str, ...] = option(
        (),
        flags="--data-files",
        form=PATHS,
        help="Files, globs or URLs ([cyan]https:// s3:// hf://[/]). Repeat the flag for more.",
        metavar="PATH",
        panel=ROWS,
    )
    token: str | None = field(default=None, repr=False)
    working_folder: Path | None = None
    audio_column: str | None = option(
        None,
        flags="--audio-column",
        help="The column that holds the audio.",
        metavar="NAME",
        unset="found by its type",
        panel=COLUMNS,
    )
    text_column: str | None = option(
        None,
        flags="--text-column",
        help="The column that holds the reference text.",
        metavar="NAME",
        unset="found by its name",
        panel=COLUMNS,
    )
    id_column: str | None = option(
        None,
        flags="--id-column",
        help="The column that identifies a row.",
        metavar="NAME",
        unset="found by its name",
        panel=COLUMNS,
    )
    offset_column: str | None = option(
        None,
        flags="--offset-column",
        help="The column that says where in its recording a row begins, in seconds.",
        metavar="NAME",
        unset="'offset', where rows refer to recordings",
        panel=COLUMNS,
    )
    duration_column: str | None = option(
        None,
        flags="--duration-column",
        help="The column that says how many seconds of its recording a row is.",
        metavar="NAME",
        unset="'duration', beside an offset or in NeMo's manifests",
        panel=COLUMNS,
    )
    keep_columns: tuple[str, ...] = option(
        (),
        flags="--keep-columns",
        form=NAMES,
        help="Columns copied to the output: [cyan]a,b[/]. Or repeat the flag. [cyan]'*'[/] keeps "
        "all that hold no audio, which is the default with [cyan]--push-to-hub[/].",
        metavar="NAMES",
        panel=COLUMNS,
    )
    take: int | None = option(
        None,
        flags="--take",
        help="Stop after this many rows.",
        metavar="N",
        unit="rows",
        unset="all",
        panel=ROWS,
    )
    skip: int = option(
        0,
        flags="--skip",
        help="Skip this many rows at the start.",
        metavar="N",
        unit="rows",
        panel=ROWS,
    )
    shuffle: bool = option(False, flags="--shuffle", help="Shuffle shards and rows.", panel=ROWS)
    buffer_size: int = option(
        1000,
        flags="--buffer-size",
        help="Rows in the shuffle buffer; it holds fewer if they reach half of "
        "[cyan]--memory[/] first.",
        metavar="N",
        unit="rows",
        panel=ROWS,
    )
    buffer_bytes: int = MEMORY_BYTES // 2
    seed: int = option(
        0, flags="--seed", help="Random seed of the shuffle.", metavar="N", panel=ROWS
    )
    num_shards: int = option(
        1,
        flags="--num-shards",
        help="Split the rows into this many shards …",
        metavar="N",
        panel=ROWS,
    )
    shard_index: int = option(
        0,
        flags="--shard-index",
        help="… and run this one, counting from 0.",
        metavar="N",
        panel=ROWS,
    )

    def __post_init__(self) -> None:
        check_at_least("num_shards", self.num_shards, 1)
        if not 0 <= self.shard_index < self.num_shards:
            raise UsageError(
                f"shard_index is {self.shard_index} and num_shards is {self.num_shards}: expected "
                "an index from 0 to below the number of shards"
            )
        check_at_least("skip", self.skip, 0)
        check_at_least("take", self.take, 0)

    def within(self, memory: MemorySettings) -> DatasetSettings:
        """The same settings with a shuffle buffer that fits ``memory``, if they shuffle at all.

        Both the command and the Python API call it, so that the same options give the same order.
        """
        return replace(self, buffer_bytes=memory.shuffled_bytes) if self.shuffle else self
