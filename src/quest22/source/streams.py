"""``datasets`` in streaming mode: one dataset as rows with their places. Chooses no columns.

Sound is never decoded here: audio features are read as their stored bytes and path, which also
spares the PyTorch and torchcodec that ``datasets`` wants for them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from quest22.errors import MissingExtraError
from quest22.settings import silence_telemetry
from quest22.source.address import common_folder
from quest22.source.columns import Columns
from quest22.source.locate import Request
from quest22.source.opening import storage_options
from quest22.source.rows import Row

if TYPE_CHECKING:
    from datasets import DatasetBuilder, IterableDataset

PARQUET_BATCH_ROWS = 16

_BUILDER_CLASSES = {
    "parquet": "Parquet",
    "webdataset": "WebDataset",
    "json": "Json",
    "csv": "Csv",
}
_FOLDER_BUILDERS = frozenset({"audiofolder", "videofolder"})
_MEDIA_FEATURES = frozenset({"Audio", "Video", "Image"})


class RowStream:
    """One split of a dataset, data file by data file.

    ``parts`` is the number of data files where rows can be told apart by file, else 1.
    """

    def __init__(self, builder: DatasetBuilder, split: str) -> None:
        self._builder = builder
        self._split = split
        self._dataset = self._opened()
        self._files = _files_of(builder, split, self._dataset.num_shards)
        self.parts = len(self._files) or 1

    @property
    def features(self) -> Mapping[str, Any] | None:
        """The types of the columns, where the format tells them before the first row."""
        features: Mapping[str, Any] | None = self._builder.info.features
        return features

    @property
    def folder(self) -> str | None:
        """Where relative paths of sound start, if rows do not tell their data file."""
        files = (self._builder.config.data_files or {}).get(self._split, ())
        base: str | None = self._builder.base_path
        return base or common_folder([os.fspath(file) for file in files])

    def project(self, columns: Columns) -> None:
        """Read these columns alone from now on, as far as the format allows."""
        config = self._builder.config
        if self._builder.name == "csv":
            text = [name for name in (columns.audio, columns.text, columns.id) if name]
            config.converters = dict.fromkeys(text, str)  # "007" is an id, not a number
        if self.features is None:
            return
        names = columns.needed(self.features)
        if self._builder.name == "parquet":
            config.columns = names
            config.batch_size = config.batch_size or PARQUET_BATCH_ROWS
            self._dataset = self._opened()
        else:
            self._dataset = self._dataset.select_columns(names)

    def rows(self, parts: Iterable[int]) -> Iterator[Row]:
        """The rows of some of the data files, file after file."""
        for part in parts:
            file = self._files[part] if self._files else None
            dataset = self._dataset
            if self.parts > 1:
                dataset = dataset.shard(num_shards=self.parts, index=part)
            for number, values in enumerate(dataset):
                yield Row(part, number, values, file)

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


def open_stream(request: Request, split: str) -> RowStream:
    """Open a dataset for streaming; errors of ``datasets`` and of the network pass through."""
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
            builder = _built_on(request.builder, split, request.data_files, common)
        else:
            builder = datasets.load_dataset_builder(
                request.path,
                request.config,
                data_files={split: list(request.data_files)} if request.data_files else None,
                revision=request.revision,
                **common,
            )
    return RowStream(builder, split)


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


def _options(request: Request) -> dict[str, Any]:
    options = storage_options(request.token)
    if request.builder == "parquet":
        # Arrow asks for exactly the ranges it needs: reading ahead would fetch other columns.
        for scheme in ("http", "https"):
            options[scheme] = {**options[scheme], "cache_type": "none"}
        options["s3"] = {"default_cache_type": "none"}
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


def _files_of(builder: DatasetBuilder, split: str, shards: int) -> list[str]:
    files = [os.fspath(file) for file in (builder.config.data_files or {}).get(split, ())]
    return files if len(files) == shards and builder.name not in _FOLDER_BUILDERS else []
