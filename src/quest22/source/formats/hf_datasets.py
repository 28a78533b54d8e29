"""``datasets``: finds a dataset's files, and reads the kinds of files that are not read here.

Sound is never decoded here: audio features are read as their stored bytes and path, which also
spares the PyTorch and torchcodec that ``datasets`` wants for them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quest22.env import silence_telemetry
from quest22.errors import MissingExtraError
from quest22.source.columns import Columns, Kind, kinds_of_features, kinds_of_values
from quest22.source.formats.row_error import Numbered, RowError
from quest22.source.io.error_kinds import is_transient, reason_of
from quest22.source.io.retry import storage_options
from quest22.source.locate import DatasetRequest

if TYPE_CHECKING:
    from datasets import DatasetBuilder, IterableDataset

_BUILDER_CLASSES = {
    "parquet": "Parquet",
    "webdataset": "WebDataset",
    "json": "Json",
    "csv": "Csv",
}
_FOLDER_BUILDERS = frozenset({"audiofolder", "videofolder"})
_MEDIA_FEATURES = frozenset({"Audio", "Video", "Image"})


class HfDatasetRows:
    """A split that ``datasets`` itself streams, data file by data file where it can."""

    def __init__(self, builder: DatasetBuilder, split: str) -> None:
        self._builder = builder
        self._split = split
        self._dataset = self._opened()
        by_file = builder.name not in _FOLDER_BUILDERS
        self.parts = int(self._dataset.num_shards) if by_file else 1

    def kinds(self) -> dict[str, Kind]:
        """The columns and what they hold; nothing for a split without rows."""
        features = self._builder.info.features
        if features is not None:
            return kinds_of_features(features)
        return kinds_of_values(next(iter(self._dataset), {}))

    def project(self, columns: Columns) -> None:
        """Read these columns alone from now on, as far as the format allows."""
        if self._builder.name == "csv":
            text = [name for name in (columns.audio, columns.text, columns.id) if name]
            self._builder.config.converters = dict.fromkeys(text, str)
        features = self._builder.info.features
        if features is not None:
            self._dataset = self._dataset.select_columns(columns.needed(features))

    def rows(self, part: int, start: int, name: str) -> Iterator[Numbered]:
        """The rows of one data file from ``start`` on; what breaks off is one unread row."""
        dataset = self._dataset
        if self.parts > 1:
            dataset = dataset.shard(num_shards=self.parts, index=part)
        number = -1
        try:
            for number, values in enumerate(dataset):
                if number >= start:
                    yield number, values
        except GeneratorExit:
            raise
        except Exception as exc:
            if is_transient(exc) or self.parts == 1:
                raise
            yield (number + 1) or None, RowError(f"{reason_of(exc, name)}; the rest is lost")

    def _opened(self) -> IterableDataset:
        """The split with media columns as what is stored, which needs no decoder."""
        from datasets import Features, Value

        if hasattr(self._builder.config, "decode_num_threads"):
            self._builder.config.decode_num_threads = 0  # else folders on the Hub decode ahead
        dataset = self._builder.as_streaming_dataset(split=self._split)
        if dataset.features is None:
            return dataset
        by_path = self._builder.name in _FOLDER_BUILDERS
        stored = Value("string") if by_path else {"bytes": Value("binary"), "path": Value("string")}
        features = {
            name: stored if type(feature).__name__ in _MEDIA_FEATURES else feature
            for name, feature in dataset.features.items()
        }
        return dataset.cast(Features(features))


def open_builder(request: DatasetRequest, split: str) -> DatasetBuilder:
    """Find a dataset's files; errors of ``datasets`` and of the network pass through."""
    silence_telemetry()
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # read before the environment could be set
    with tempfile.TemporaryDirectory(prefix="quest22-") as cache:  # takes a lock file, no more
        common = {
            "token": request.token,
            "cache_dir": cache,
            "storage_options": _options(request),
            **request.options,
        }
        if request.builder in _BUILDER_CLASSES and all(map(_is_plain_web, request.data_files)):
            return _built_on(request.builder, split, request.data_files, common)
        return datasets.load_dataset_builder(
            request.path,
            request.config,
            data_files={split: list(request.data_files)} if request.data_files else None,
            revision=request.revision,
            **common,
        )


def _is_plain_web(file: str) -> bool:
    """True for a web address that is one file, not a pattern."""
    return file.startswith(("http://", "https://")) and not set("*[") & set(file)


def _built_on(
    name: str, split: str, files: Iterable[str], common: dict[str, Any]
) -> DatasetBuilder:
    """A builder on web files as they are: finding them by pattern would ask for each in full."""
    from datasets.data_files import DataFilesDict, DataFilesList

    module = import_module(f"datasets.packaged_modules.{name}.{name}")
    urls = list(files)
    data_files = DataFilesDict({split: DataFilesList(urls, [()] * len(urls))})
    return getattr(module, _BUILDER_CLASSES[name])(data_files=data_files, **common)


def _options(request: DatasetRequest) -> dict[str, Any]:
    options = storage_options(request.token)
    if any(file.startswith("s3://") for file in request.data_files):
        options["s3"] = {**options.get("s3", {}), "session": _s3_session()}
    return {scheme: given for scheme, given in options.items() if given}


def _s3_session() -> Any:
    """A ready session: s3fs would make one of the ``block_size`` that datasets gives for tars."""
    try:
        from aiobotocore.session import AioSession
    except ImportError as exc:
        raise MissingExtraError("streaming from S3", "s3") from exc
    return AioSession()


def files_of(builder: DatasetBuilder, split: str) -> list[str]:
    """A split's data files. Raises ValueError where there is no such split."""
    found = builder.config.data_files or {}
    if found and split not in found:
        raise ValueError(f"Bad split: {split}. Available splits: {[str(name) for name in found]}")
    return [os.fspath(file) for file in found.get(split, ())]
