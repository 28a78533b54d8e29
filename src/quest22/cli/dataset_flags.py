"""The flags that say which rows of a dataset are streamed."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from quest22.cli.flag_groups import FlagGroup, flag_group
from quest22.errors import UsageError
from quest22.settings import DatasetSettings, MemorySettings
from quest22.settings.dataset import ROWS
from quest22.source.io.address import redact

ORDER = ("take", "skip", "shuffle", "buffer_size", "seed", "num_shards", "shard_index")
"""Options that count or order the rows of all files."""

_CONFIG = Option(
    "--name",
    "--config",
    help="The same as the argument CONFIG.",
    rich_help_panel=ROWS,
    metavar="NAME",
)


class _DatasetFlags(FlagGroup):
    def title(self) -> str:
        """The dataset in a few words."""
        parts = (redact(self.dataset), self.config or self.name, self.split)
        return " ".join(part for part in parts if part)

    def settings(self, token: str | None, memory: MemorySettings) -> DatasetSettings:
        """``memory`` bounds the shuffle buffer and thus affects the order of a shuffled run.

        Raises :class:`UsageError` for invalid values.
        """
        if self.config and self.name and self.config != self.name:
            raise UsageError(
                f"CONFIG is {self.config!r} and --name is {self.name!r}: give one of them"
            )
        config = self.config or self.name
        return self.make(DatasetSettings, config=config, token=token).within(memory)


@flag_group(DatasetSettings)
class DatasetFlags(_DatasetFlags):
    """Which rows of a dataset, and what its columns mean."""

    name: Annotated[str | None, _CONFIG] = None


@flag_group(DatasetSettings, without=ORDER)
class WholeDatasetFlags(_DatasetFlags):
    """Which dataset, and what its columns mean, where its rows are taken in any order."""

    name: Annotated[str | None, _CONFIG] = None
