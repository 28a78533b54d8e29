"""The flags that say which rows of a dataset are streamed."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from quest22.cli.flag_groups import FlagGroup, flag_group
from quest22.errors import UsageError
from quest22.settings import DatasetSettings, MemorySettings
from quest22.settings.dataset import ROWS
from quest22.source.io.address import redact


@flag_group(DatasetSettings)
class DatasetFlags(FlagGroup):
    """Which rows of a dataset, and what its columns mean."""

    name: Annotated[
        str | None,
        Option(
            "--name",
            "--config",
            help="The same as the argument CONFIG.",
            rich_help_panel=ROWS,
            metavar="NAME",
        ),
    ] = None

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
