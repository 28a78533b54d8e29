"""OpenVINO GenAI's WhisperPipeline, one window at a time because it has no batches."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import Any

from quest22.bench.worker import LoadedProgram, RunOutput, serve
from quest22.bench.workload import Workload


def load(workload: Workload) -> LoadedProgram:
    """Export the weights with optimum-intel, then load the pipeline."""
    import openvino_genai

    properties: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[workload.compute_type]
    }
    if workload.threads:
        properties["INFERENCE_NUM_THREADS"] = workload.threads
    pipeline = openvino_genai.WhisperPipeline(_exported(workload), "CPU", **properties)
    options: dict[str, Any] = {
        "language": f"<|{workload.language}|>",
        "task": "transcribe",
        "return_timestamps": False,
    }
    if workload.tokens is not None:
        options["max_new_tokens"] = workload.tokens
    windows = workload.windows()

    def run() -> RunOutput:
        tokens = 0
        for window in windows:
            result = pipeline.generate(window.tolist(), **options)
            tokens += result.perf_metrics.get_num_generated_tokens()
        return RunOutput(tokens, len(windows))

    return run, f"{version('openvino-genai')}, {workload.compute_type}"


def _exported(workload: Workload) -> str:
    folder = workload.folder("openvino")
    if not folder.exists():
        command = [workload.exporter or sys.executable, "-m", "optimum.commands.optimum_cli"]
        command += ["export", "openvino", "--model", workload.model]
        command += ["--task", "automatic-speech-recognition-with-past", str(folder)]
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 -- named by the user
    return str(folder)


if __name__ == "__main__":
    serve(load)
