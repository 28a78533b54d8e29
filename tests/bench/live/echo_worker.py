"""A program for tests: commits the job's words, one for each tenth of a second of sound."""

import time

from quest22.bench.live.peers.live_pipe import Job, OpenSession, Updates, serve

WORD_BYTES = 3200


class Echo:
    def __init__(self, words: list[str], updates: Updates) -> None:
        self.words = words
        self.updates = updates
        self.heard = 0

    def feed(self, pcm: bytes) -> None:
        if self.words == ["deaf"]:
            time.sleep(60)
        before, self.heard = self.heard, self.heard + len(pcm)
        for number in range(before // WORD_BYTES, self.heard // WORD_BYTES):
            self.updates.update(0, number, [self.words[number % len(self.words)]], [])

    def end(self) -> None:
        self.updates.update(0, self.heard // WORD_BYTES, [], [], final=True)
        self.updates.ended()


def load(job: Job) -> tuple[str, OpenSession]:
    if job["model"] == "broken":
        raise SystemExit("this program is broken")
    return f"echo of {job['model']}", lambda updates: Echo(job["model"].split(), updates)


if __name__ == "__main__":
    serve(load)
