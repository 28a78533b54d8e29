"""whisper.cpp through pywhispercpp, one window at a time, in float16."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from quest22.bench.peers.ggml import write_ggml
from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload
from quest22.system.machine import usable_cores


def load(workload: Workload) -> LoadedProgram:
    """Write the weights as a ggml file, then load it."""
    import _pywhispercpp as cpp
    from pywhispercpp.model import Model

    path = workload.folder("ggml.bin")
    if not path.exists():
        write_ggml(workload.model, path)
    threads = workload.threads or usable_cores()
    options: dict[str, Any] = {
        "n_threads": threads,
        "language": workload.language,
        "no_timestamps": True,
        "single_segment": True,
        "no_context": True,
        "temperature_inc": 0.0,
        "max_tokens": workload.tokens or 0,
        "print_progress": False,
        "print_realtime": False,
    }
    model = Model(str(path), **options)
    windows = workload.windows()

    def run() -> RunOutput:
        tokens = 0
        for window in windows:
            model.transcribe(window)
            context = model._ctx
            end = cpp.whisper_token_eot(context)
            tokens += sum(
                cpp.whisper_full_get_token_id(context, segment, index) < end
                for segment in range(cpp.whisper_full_n_segments(context))
                for index in range(cpp.whisper_full_n_tokens(context, segment))
            )
        return RunOutput(tokens, len(windows))

    return run, f"pywhispercpp {version('pywhispercpp')}, float16"


if __name__ == "__main__":
    serve(load)
