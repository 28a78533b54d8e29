"""The flags that say which rows of a dataset are streamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from quest22.cli.numbers import parse_list
from quest22.errors import UsageError
from quest22.settings import DatasetSettings, MemorySettings

ROWS, COLUMNS = "Rows", "Columns"


@dataclass(frozen=True, slots=True)
class DatasetFlags:
    """Which rows of a dataset, and what its columns mean."""

    dataset: Annotated[
        str,
        Argument(
            metavar="DATASET",
            help="A dataset on the Hub or in a folder, or a format: [cyan]parquet webdataset "
            "audiofolder json csv[/] with [cyan]--data-files[/].",
            show_default=False,
        ),
    ]
    config: Annotated[
        str | None,
        Argument(metavar="CONFIG", help="The dataset's configuration, if it has several."),
    ] = None
    name: Annotated[
        str | None,
        Option("--name", "--config", help="As CONFIG.", rich_help_panel=ROWS, metavar="NAME"),
    ] = None
    split: Annotated[str, Option(help="Which split.", rich_help_panel=ROWS, metavar="SPLIT")] = (
        "train"
    )
    revision: Annotated[
        str | None,
        Option(
            "--revision",
            "--dataset-revision",
            help="Branch, tag or commit of the dataset.",
            rich_help_panel=ROWS,
            metavar="REV",
        ),
    ] = None
    data_files: Annotated[
        list[str] | None,
        Option(
            help="Files, globs or URLs ([cyan]https:// s3:// hf://[/]); may be repeated.",
            rich_help_panel=ROWS,
            metavar="PATH",
        ),
    ] = None
    take: Annotated[
        int | None, Option(help="Stop after so many rows.", rich_help_panel=ROWS, metavar="N")
    ] = None
    skip: Annotated[
        int, Option(help="Leave out the first rows.", rich_help_panel=ROWS, metavar="N")
    ] = 0
    shuffle: Annotated[
        bool, Option("--shuffle", help="Shuffle shards and rows.", rich_help_panel=ROWS)
    ] = False
    buffer_size: Annotated[
        int, Option(help="Rows held for shuffling.", rich_help_panel=ROWS, metavar="N")
    ] = 1000
    seed: Annotated[int, Option(help="Seed of the shuffle.", rich_help_panel=ROWS, metavar="N")] = 0
    num_shards: Annotated[
        int, Option(help="Split the work into so many parts …", rich_help_panel=ROWS, metavar="N")
    ] = 1
    shard_index: Annotated[
        int, Option(help="… and do this one, from 0.", rich_help_panel=ROWS, metavar="N")
    ] = 0
    audio_column: Annotated[
        str | None,
        Option(help="The column of sound; found by type.", rich_help_panel=COLUMNS, metavar="NAME"),
    ] = None
    text_column: Annotated[
        str | None,
        Option(
            help="The column of reference text; found by name.",
            rich_help_panel=COLUMNS,
            metavar="NAME",
        ),
    ] = None
    id_column: Annotated[
        str | None,
        Option(help="The column of keys; found by name.", rich_help_panel=COLUMNS, metavar="NAME"),
    ] = None
    keep_columns: Annotated[
        list[str] | None,
        Option(
            help="Columns carried to the output: [cyan]a,b[/], or repeated; [cyan]'*'[/] for all, "
            "as [cyan]--push-to-hub[/] does by itself.",
            rich_help_panel=COLUMNS,
            metavar="NAMES",
        ),
    ] = None

    def title(self) -> str:
        """The dataset in a few words."""
        parts = (self.dataset, self.config or self.name, self.split)
        return " ".join(part for part in parts if part)

    def settings(self, token: str | None, memory: MemorySettings) -> DatasetSettings:
        """``memory`` bounds what is held for shuffling, and so decides its order."""
        if self.config and self.name and self.config != self.name:
            raise UsageError(f"two configurations, {self.config!r} and {self.name!r}: name one")
        shuffled = {"buffer_bytes": memory.shuffled_bytes} if self.shuffle else {}
        return DatasetSettings(
            **shuffled,
            path=self.dataset,
            config=self.config or self.name,
            split=self.split,
            revision=self.revision,
            data_files=tuple(self.data_files or ()),
            token=token,
            audio_column=self.audio_column,
            text_column=self.text_column,
            id_column=self.id_column,
            keep_columns=tuple(parse_names(self.keep_columns)),
            take=self.take,
            skip=self.skip,
            shuffle=self.shuffle,
            buffer_size=self.buffer_size,
            seed=self.seed,
            num_shards=self.num_shards,
            shard_index=self.shard_index,
        )


def parse_names(named: list[str] | None) -> list[str]:
    """``["a,b", "c"]`` → ``["a", "b", "c"]``, each once."""
    return list(dict.fromkeys(name for text in named or () for name in parse_list(text)))
