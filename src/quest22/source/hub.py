"""Any dataset that ``datasets`` streams, as clips: nothing is downloaded ahead or kept on disk.

Sound is taken undecoded and only the needed columns are read. Knows nothing of decoding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from quest22.errors import Quest22Error, SourceError
from quest22.meter import Meter
from quest22.records import Clip, Failure, Position, RowPlace
from quest22.settings import DatasetSettings
from quest22.source.address import public
from quest22.source.columns import Columns, Kind, choose_columns, kinds_of_features, kinds_of_values
from quest22.source.faults import source_error
from quest22.source.locate import Request, locate
from quest22.source.measure import measured
from quest22.source.order import ordered, parts_of_shard
from quest22.source.resume import behind, named, only
from quest22.source.rows import Place, RowReader
from quest22.source.streams import RowStream, open_stream


class DatasetSource:
    """Clips of one split of a dataset, in its order or shuffled.

    Making one finds the dataset, pins its revision and reads its columns; iterating streams the
    rows, from the start each time. A row without sound comes out as a Failure. Keys are the id
    column, else the audio's path, else split and row number; a repeated key gets those appended.
    Both raise UsageError and SourceError.
    """

    def __init__(
        self,
        settings: DatasetSettings,
        meter: Meter,
        after: Position | None = None,
        places: Collection[RowPlace] | None = None,
    ) -> None:
        """``after`` begins behind a row, ``places`` takes certain rows alone."""
        self._after = after
        self._places = places
        self._settings = settings
        self._meter = meter
        self._name = f"dataset {public(settings.path)!r}"
        self._request: Request = locate(settings)
        with _translated(self._name):
            self._stream: RowStream = open_stream(self._request, settings.split)
            self.columns: Columns = choose_columns(self._kinds(), settings)
            self._stream.project(self.columns)

    @property
    def revision(self) -> str | None:
        """The commit that is read, for a dataset on the Hub."""
        return self._request.revision

    def __iter__(self) -> Iterator[Clip | Failure]:
        return measured(self._results(), self._meter)

    def _results(self) -> Iterator[Clip | Failure]:
        place = Place(
            dataset=self._settings.path,
            split=self._settings.split,
            parts=self._stream.parts,
            folder=self._stream.folder,
            revision=self.revision,
            token=self._request.token,
        )
        reader = RowReader(place, self.columns)
        parts = parts_of_shard(self._settings, self._stream.parts)
        with _translated(self._name):
            rows = ordered(self._stream.rows(parts), self._settings, self._stream.parts)
            wanted = named(rows, reader)
            if self._places is not None:
                wanted = only(wanted, self._places)
            if self._after is not None:
                wanted = behind(wanted, self._after, self._name)
            for row, key, origin in wanted:
                yield reader.read(row, key, origin)

    def _kinds(self) -> dict[str, Kind]:
        if self._stream.features is not None:
            return kinds_of_features(self._stream.features)
        first = next(self._stream.rows(range(self._stream.parts)), None)
        if first is None:
            raise SourceError(f"{self._name}: split {self._settings.split!r} has no rows")
        return kinds_of_values(first.values)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Foreign errors leave as one line that names the dataset."""
    try:
        yield
    except Quest22Error:
        raise
    except Exception as exc:
        raise source_error(exc, name) from exc
