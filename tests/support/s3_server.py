"""moto's stand-in for S3 on this machine, and the environment that leads to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def s3_bucket(name: str) -> Iterator[Any]:
    """A server with one bucket; gives boto3's client. Skips tests without moto, boto3 or s3fs."""
    boto3 = pytest.importorskip("boto3", reason="moto and boto3 come with the test extra")
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # those of an earlier server
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        client = boto3.client("s3")
        client.create_bucket(Bucket=name)
        yield client
        client.close()
    server.stop()
