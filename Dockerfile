# Three images: the command (cli) and the server (the last stage, so the default) for CPUs, and both
# in one for NVIDIA's GPUs (cuda).
#
#   docker build --target cli -t quest22 .
#   docker run --rm -v "$PWD:/work" -v quest22-cache:/cache -u "$(id -u):$(id -g)" quest22 transcribe talk.mp3 -m small
#
#   docker build --target cli --build-arg EXTRAS=cluster -t quest22 .    workers on S3, GCS or Azure
#
#   docker build -t quest22-server .
#   docker run --rm -p 127.0.0.1:8000:8000 -v quest22-cache:/cache quest22-server
#
#   docker build --target cuda -t quest22-cuda .
#   docker run --rm --gpus all -v "$PWD:/work" -v quest22-cache:/cache quest22-cuda transcribe talk.mp3 -m turbo
#
# All run with --read-only, --cap-drop ALL, any user, and nothing to write to but /cache and /tmp.

ARG BASE=debian:trixie-slim

FROM ${BASE} AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

FROM python AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/quest22
ENV PATH=/opt/tools/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source

# What quest22 needs, apart from quest22: unchanged as long as these two files are.
# Tests, C headers, OpenVINO on other devices and Arrow's own network protocol are of no use here.
FROM build AS needed
COPY pyproject.toml constraints.txt ./
COPY tools/requirements.py tools/
ARG EXTRAS=
RUN python tools/requirements.py ${EXTRAS} > needed.txt \
    && pip --python /opt/quest22 install --no-cache-dir --no-compile -c constraints.txt -r needed.txt \
    && cd /opt/quest22/lib/python3*/site-packages \
    && find . \( -name tests -o -name include \) -type d -prune -exec rm -r {} + \
    && rm openvino/libs/libopenvino_intel_[gn]pu_plugin.so openvino/libs/cache.json \
        pyarrow/libarrow_flight.* pyarrow/libarrow_python_flight.* pyarrow/_flight.*

FROM needed AS needed-by-server
RUN python tools/requirements.py server > needed.txt \
    && pip --python /opt/quest22 install --no-cache-dir --no-compile -c constraints.txt -r needed.txt

# PyTorch's wheels for Linux bring CUDA's libraries: the base needs none of them.
FROM needed-by-server AS needed-by-cuda
RUN python tools/requirements.py server torch > needed.txt \
    && pip --python /opt/quest22 install --no-cache-dir --no-compile -c constraints.txt -r needed.txt

# quest22 itself, with the native library for each instruction set.
FROM build AS quest22
COPY . .
RUN QUEST22_BUILD_NATIVE=require pip wheel --quiet --no-cache-dir --no-deps -w /wheels . \
    && pip --python /opt/quest22 install --no-cache-dir --no-compile --no-deps --no-index /wheels/*.whl

FROM python AS run
ENV PATH=/opt/quest22/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    QUEST22_CACHE=/cache/quest22 \
    HF_HOME=/cache/huggingface
RUN install -d -m 1777 /cache /work
VOLUME /cache
ENTRYPOINT ["quest22"]

FROM run AS cli
COPY --from=needed /opt/quest22 /opt/quest22
COPY --from=quest22 /opt/quest22 /opt/quest22
USER 10001
WORKDIR /work
CMD ["--help"]

# The driver is the host's: NVIDIA's container toolkit mounts it. Triton compiles the stub of a kernel
# with the C compiler, for this Python, and keeps it.
FROM run AS cuda
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TRITON_CACHE_DIR=/cache/triton
COPY --from=needed-by-cuda /opt/quest22 /opt/quest22
COPY --from=quest22 /opt/quest22 /opt/quest22
USER 10001
WORKDIR /work
EXPOSE 8000
CMD ["--help"]

FROM run AS server
COPY --from=needed-by-server /opt/quest22 /opt/quest22
COPY --from=quest22 /opt/quest22 /opt/quest22
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=10s --interval=10s --timeout=3s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
CMD ["serve", "--host", "0.0.0.0", "--model", "base", "--log", "json"]
