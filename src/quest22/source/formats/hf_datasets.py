"""Uses ``datasets`` to find a dataset's files, and to read the formats that are not read here.

Audio features are read as stored bytes and path, so that neither PyTorch nor torchcodec, which
``datasets`` needs for decoding, must be installed.
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
from quest22.source.io.address import without_ip_host
from quest22.source.io.retry import storage_options
from quest22.source.locate import DatasetRequest
from quest22.source.rows import NumberedRow

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
    """A split that ``datasets`` streams, data file by data file if the format allows."""

    def __init__(self, builder: DatasetBuilder, split: str) -> None:
        self._builder = builder
        self._split = split
        self._dataset = self._open_split()
        by_file = builder.name not in _FOLDER_BUILDERS
        self.parts = int(self._dataset.num_shards) if by_file else 1

    def kinds(self) -> dict[str, Kind]:
        """The kind of each column; empty for a split without rows."""
        features = self._builder.info.features
        if features is not None:
            return kinds_of_features(features)
        return kinds_of_values(next(iter(self._dataset), {}))

    def project(self, columns: Columns) -> None:
        """Read only these columns from now on, if the format allows it."""
        if self._builder.name == "csv":
            text = [name for name in (columns.audio, columns.text, columns.id) if name]
            self._builder.config.converters = dict.fromkeys(text, str)
        features = self._builder.info.features
        if features is not None:
            self._dataset = self._dataset.select_columns(columns.needed(features))

    def rows(self, part: int, start: int) -> Iterator[NumberedRow]:
        """The rows of one data file from ``start`` on; raises what ``datasets`` raises."""
        dataset = self._dataset
        if self.parts > 1:
            dataset = dataset.shard(num_shards=self.parts, index=part)
        for number, values in enumerate(dataset):
            if number >= start:
                yield number, values

    def _open_split(self) -> IterableDataset:
        """The split with media columns as they are stored, which needs no decoder."""
        from datasets import Features, Value

        if hasattr(self._builder.config, "decode_num_threads"):
            self._builder.config.decode_num_threads = (
                0  # else folders on the Hub are decoded in advance
            )
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
    """Find a dataset's files; raises the errors of ``datasets`` and of the network."""
    silence_telemetry()
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # read before the environment could be set
    # It holds a lock file only, which Windows may keep open.
    with tempfile.TemporaryDirectory(prefix="quest22-", ignore_cleanup_errors=True) as cache:
        common = {
            "token": request.token,
            "cache_dir": cache,
            "storage_options": _options(request),
            **request.options,
        }
        if request.builder in _BUILDER_CLASSES and all(
            map(_is_single_web_file, request.data_files)
        ):
            return _builder_of_web_files(request.builder, split, request.data_files, common)
        return datasets.load_dataset_builder(
            request.path,
            request.config,
            data_files={split: list(request.data_files)} if request.data_files else None,
            revision=request.revision,
            **common,
        )


def _is_single_web_file(file: str) -> bool:
    """True for the web address of one file, not of a pattern."""
    return file.startswith(("http://", "https://")) and not set("*[") & set(without_ip_host(file))


def _builder_of_web_files(
    name: str, split: str, files: Iterable[str], common: dict[str, Any]
) -> DatasetBuilder:
    """A builder for web files as listed; resolving them as patterns would download each."""
    from datasets.data_files import DataFilesDict, DataFilesList

    module = import_module(f"datasets.packaged_modules.{name}.{name}")
    urls = list(files)
    none = DataFilesDict({split: DataFilesList([], [])})
    builder: DatasetBuilder = getattr(module, _BUILDER_CLASSES[name])(data_files=none, **common)
    keep_files(builder, split, urls)  # afterwards, as the builder understands no IPv6 addresses
    return builder


def _options(request: DatasetRequest) -> dict[str, Any]:
    options = storage_options(request.token)
    if any(file.startswith("s3://") for file in request.data_files):
        options["s3"] = {**options.get("s3", {}), "session": _s3_session()}
    return {scheme: values for scheme, values in options.items() if values}


def _s3_session() -> Any:
    """A session: s3fs would make one from the ``block_size`` that datasets gives for tars."""
    try:
        from aiobotocore.session import AioSession
    except ImportError as exc:
        raise MissingExtraError("streaming from S3", "s3") from exc
    return AioSession()


def files_of(builder: DatasetBuilder, split: str) -> list[str]:
    """A split's data files. Raises ValueError if there is no such split."""
    data_files = builder.config.data_files or {}
    if data_files and split not in data_files:
        raise ValueError(
            f"Bad split: {split}. Available splits: {[str(name) for name in data_files]}"
        )
    return [os.fspath(file) for file in data_files.get(split, ())]


def keep_files(builder: DatasetBuilder, split: str, files: Iterable[str]) -> None:
    """Let a builder read only these of a split's files."""
    from datasets.data_files import DataFilesDict, DataFilesList

    kept = list(files)
    builder.config.data_files = DataFilesDict({split: DataFilesList(kept, [()] * len(kept))})
