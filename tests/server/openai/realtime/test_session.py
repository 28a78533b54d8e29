"""Sessions whose live events are put in by hand: what the client is told, and in which order."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from quest22.server.openai.realtime.settings import SessionSettings
from quest22.server.refusal import Refusal
from tests.server.openai.realtime.scripted import Client

Scenario = Callable[[Client], Awaitable[None]]
MANUAL = SessionSettings().updated({"turn_detection": None})
COMMITTED = ["committed", "added", "done"]


def run(scenario: Scenario, **given: Any) -> Client:
    """Play a scenario with a session that has just begun."""

    async def main() -> Client:
        async with Client(**given) as client:
            client.events.clear()
            await scenario(client)
            return client

    return asyncio.run(main())


def test_the_session_is_told_first() -> None:
    async def main() -> list[dict[str, Any]]:
        async with Client("whisper-1") as client:
            return client.events

    (created,) = asyncio.run(main())
    session = created["session"]
    assert created["type"] == "session.created"
    assert created["event_id"].startswith("event_")
    assert (session["type"], session["object"]) == (
        "transcription",
        "realtime.transcription_session",
    )
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1"}


def test_a_turn_from_its_beginning_to_its_text() -> None:
    async def turn(client: Client) -> None:
        await client.feed(3.0)
        live = client.live
        live.says("speech_started", at_s=0.7)
        live.says("interim", "good")
        live.says("committed", "good morning", stable=1)
        assert await client.told() == ["speech_started", "delta good"]
        live.says("speech_stopped", at_s=1.9)
        live.says("final", "good morning all")
        assert await client.told() == [
            "speech_stopped",
            *COMMITTED,
            "delta  morning all",
            "segment",
            "completed good morning all",
        ]

    run(turn)


def test_places_and_ids() -> None:
    async def turns(client: Client) -> None:
        for at_s in (1.0, 3.0):
            client.live.says("speech_started", at_s=at_s)
            client.live.says("speech_stopped", at_s=at_s + 1.5)
            client.live.says("final", "one")
        await client.settle()

    events = run(turns).events
    assert [each["audio_start_ms"] for each in events if "audio_start_ms" in each] == [1000, 3000]
    assert [each["audio_end_ms"] for each in events if "audio_end_ms" in each] == [2500, 4500]
    first, second = (each for each in events if each["type"].endswith("completed"))
    assert first["item_id"] != second["item_id"]
    assert first["usage"] == {"type": "duration", "seconds": 1.5}
    assert first["languages"] == [{"code": "en"}]
    assert first["content_index"] == 0
    previous = [each["previous_item_id"] for each in events if "previous_item_id" in each]
    assert previous == [None] * 3 + [first["item_id"]] * 3


def test_speech_that_is_cut_is_one_item() -> None:
    async def long(client: Client) -> None:
        live = client.live
        live.says("speech_started")
        live.says("final", "one")
        live.says("committed", "two three", stable=1)
        live.says("speech_stopped")
        live.says("final", "two three")
        assert await client.told() == [
            "speech_started",
            "delta one",
            "segment",
            "delta  two",
            "speech_stopped",
            *COMMITTED,
            "delta  three",
            "segment",
            "completed one two three",
        ]

    run(long)


def test_speech_without_text_is_complete_too() -> None:
    async def nothing(client: Client) -> None:
        client.live.says("speech_started")
        client.live.says("speech_stopped")
        client.live.says("final")
        assert await client.told() == ["speech_started", "speech_stopped", *COMMITTED, "completed "]

    run(nothing)


def test_manual_turns_are_committed_at_once_and_complete_when_flushed() -> None:
    async def manual(client: Client) -> None:
        live = client.live
        await client.feed(1.0)
        live.says("speech_started")
        live.says("committed", "one two", stable=1)
        assert await client.told() == ["delta one"]
        await client.commit()
        assert await client.told() == COMMITTED
        assert live.told == ["flush at 1.0"]
        await client.feed(1.0)
        live.says("speech_stopped")
        live.says("final", "one two")
        live.says("final", "three")
        live.says("flushed")
        live.says("committed", "four", stable=1)
        assert await client.told() == [
            "delta  two",
            "segment",
            "delta  three",
            "segment",
            "completed one two three",
            "delta four",
        ]

    run(manual, settings=MANUAL)


def test_usage_counts_what_came_between_commits() -> None:
    async def commits(client: Client) -> None:
        for seconds in (1.0, 2.5):
            await client.feed(seconds)
            client.live.says("committed", "one", stable=1)
            await client.settle()
            await client.commit()
            client.live.says("final", "one")
            client.live.says("flushed")
            await client.settle()

    completed = [each for each in run(commits, settings=MANUAL).events if "usage" in each]
    assert [each["usage"]["seconds"] for each in completed] == [1.0, 2.5]


def test_each_commit_is_answered() -> None:
    async def commits(client: Client) -> None:
        await client.commit()
        await client.commit()
        await client.feed(1.0)
        await client.commit()
        await client.commit()
        assert client.live.told == ["flush at 0.0", "flush at 1.0"]
        assert await client.told() == COMMITTED * 4
        client.live.says("flushed")
        assert await client.told() == ["completed ", "completed "]
        client.live.says("final", "one")
        client.live.says("flushed")
        assert await client.told() == ["delta one", "segment", "completed one", "completed "]
        await client.commit()
        assert await client.told() == [*COMMITTED, "completed "]

    run(commits, settings=MANUAL)


def test_a_flood_of_commits_is_answered() -> None:
    async def flood(client: Client) -> None:
        await client.feed(1.0)
        for _ in range(2_000):
            await client.commit()
        await client.told()
        client.live.says("flushed")
        assert await client.told() == ["completed "] * 2_000

    run(flood, settings=MANUAL)


def test_a_commit_while_the_server_finds_turns_ends_the_one_that_is_open() -> None:
    async def commit(client: Client) -> None:
        live = client.live
        await client.feed(2.0)
        live.says("speech_started")
        await client.settle()
        await client.commit()
        live.says("speech_stopped")
        live.says("final", "one")
        live.says("flushed")
        assert await client.told() == [
            "speech_started",
            *COMMITTED,
            "delta one",
            "segment",
            "completed one",
        ]

    run(commit)


def test_a_commit_behind_a_turn_that_is_ending_is_another_item() -> None:
    async def commit(client: Client) -> None:
        live = client.live
        live.says("speech_started")
        live.says("speech_stopped")
        await client.settle()
        await client.commit()
        live.says("final", "one")
        live.says("flushed")
        assert await client.told() == [
            "speech_started",
            "speech_stopped",
            *COMMITTED,
            *COMMITTED,
            "delta one",
            "segment",
            "completed one",
            "completed ",
        ]

    run(commit)


def test_a_change_on_the_way_loses_nothing() -> None:
    async def change(client: Client) -> None:
        first = client.live
        await client.feed(1.0)
        first.says("speech_started")
        await client.settle()
        await client.update(transcription={"language": "ru"})
        second = client.live
        assert first.told == ["end"]
        assert second.options["language"] == "ru"
        await client.feed(1.0)
        assert (first.fed_s, second.fed_s) == (1.0, 1.0)
        second.says("speech_started", at_s=0.5)
        first.says("speech_stopped")
        first.says("final", "one")
        first.ends()
        assert await client.told() == [
            "speech_started",
            "session.updated",
            "speech_stopped",
            *COMMITTED,
            "delta one",
            "segment",
            "completed one",
            "speech_started",
        ]
        assert first.told == ["end", "closed"]

    run(change)


def test_the_clock_goes_on_after_a_change() -> None:
    async def change(client: Client) -> None:
        await client.feed(2.0)
        client.live.ends()
        await client.update(transcription={"model": "small"})
        client.live.says("speech_started", at_s=0.25)
        await client.settle()

    client = run(change)
    assert client.events[-1]["audio_start_ms"] == 2250
    assert client.service.models.borrowed == ["base", "small"]


def test_what_changes_nothing_that_is_heard_opens_nothing() -> None:
    async def change(client: Client) -> None:
        await client.update(format={"type": "audio/pcma"}, noise_reduction={"type": "far_field"})
        assert await client.told() == ["session.updated"]

    assert len(run(change).service.lives) == 1


def test_changes_over_and_over_keep_two_live_sessions() -> None:
    async def flood(client: Client) -> None:
        async def changes() -> None:
            for language in ("en", "ru", "de"):
                await client.update(transcription={"language": language})

        task = asyncio.create_task(changes())
        await asyncio.sleep(0.05)
        assert len(client.service.lives) == 2
        client.service.lives[0].ends()
        await asyncio.sleep(0.05)
        assert len(client.service.lives) == 3
        client.service.lives[1].ends()
        await task

    run(flood)


def test_clearing_forgets_what_was_not_committed() -> None:
    async def clear(client: Client) -> None:
        first = client.live
        await client.feed(1.0)
        first.says("committed", "one", stable=1)
        await client.settle()
        await client.clear()
        first.says("final", "one")
        assert await client.told() == ["delta one", "cleared"]
        assert first.told == ["cancel", "closed"]
        await client.feed(1.0)
        await client.commit()
        client.live.says("final", "two")
        client.live.says("flushed")
        told = await client.told()
        assert told == [*COMMITTED, "delta two", "segment", "completed two"]

    run(clear, settings=MANUAL)


def test_clearing_keeps_what_was_committed() -> None:
    async def clear(client: Client) -> None:
        first = client.live
        await client.feed(1.0)
        await client.commit()
        await client.feed(1.0)
        await client.clear()
        assert first.told == ["flush at 1.0"]
        first.says("final", "one")
        first.says("flushed")
        first.says("final", "two")
        assert await client.told() == [
            *COMMITTED,
            "cleared",
            "delta one",
            "segment",
            "completed one",
        ]
        assert first.told[1:] == ["cancel", "closed"]

    run(clear, settings=MANUAL)


def test_clearing_ends_speech_that_was_announced() -> None:
    async def clear(client: Client) -> None:
        client.live.says("speech_started")
        await client.settle()
        await client.clear()
        assert await client.told() == ["speech_started", "speech_stopped", "cleared"]

    run(clear)


def test_a_live_session_that_fails_costs_its_items_and_the_next_one_goes_on() -> None:
    async def fail(client: Client) -> None:
        await client.feed(1.0)
        client.live.says("speech_started")
        await client.settle()
        client.live.fails()
        assert await client.told() == ["speech_started", "speech_stopped", *COMMITTED, "failed"]
        await client.feed(1.0)
        assert len(client.service.lives) == 2
        client.live.says("speech_started")
        assert await client.told() == ["speech_started"]

    run(fail)


def test_a_live_session_that_was_cancelled_is_followed_by_another() -> None:
    async def cancelled(client: Client) -> None:
        client.live.says("speech_started")
        await client.settle()
        client.live.takes = False
        client.live.ends()
        assert (await client.told())[-1] == "failed"
        await client.feed(1.0)
        assert len(client.service.lives) == 2
        assert client.live.fed_s == 1.0

    run(cancelled)


def test_draining_sends_what_was_said() -> None:
    async def drain(client: Client) -> None:
        await client.feed(1.0)
        client.live.says("committed", "one", stable=1)
        await client.settle()
        draining = asyncio.create_task(client.session.drain())
        await client.settle()
        assert client.live.told == ["end"]
        client.live.says("final", "one two")
        client.live.ends()
        await draining
        told = await client.told()
        assert told == ["delta one", "delta  two", "segment", *COMMITTED, "completed one two"]
        await client.feed(1.0)
        await client.commit()
        assert await client.told() == []
        assert client.session.has_ended.is_set()

    run(drain, settings=MANUAL)


def test_closing_frees_all_at_once() -> None:
    async def close(client: Client) -> None:
        client.reads.clear()
        client.live.says("speech_started")
        await client.settle()

    client = run(close)
    assert client.live.told == ["closed"]


def test_a_client_that_does_not_read_loses_nothing_and_gets_fewer_events() -> None:
    async def slow(client: Client) -> None:
        client.reads.clear()
        client.live.says("speech_started")
        await client.settle()
        task = asyncio.create_task(client.update(transcription={"prompt": "x"}))
        await client.settle()
        assert client.events == []
        client.reads.set()
        client.live.ends()
        await task
        assert await client.told() == ["speech_started", "session.updated"]

    run(slow)


def test_the_beta_has_its_own_events() -> None:
    async def main() -> list[str]:
        async with Client(is_beta=True) as client:
            await client.session.receive(
                {
                    "type": "transcription_session.update",
                    "session": {"input_audio_format": "g711_ulaw"},
                }
            )
            client.live.says("speech_started")
            client.live.says("speech_stopped")
            client.live.says("final", "one")
            return await client.told()

    assert asyncio.run(main()) == [
        "transcription_session.created",
        "transcription_session.updated",
        "speech_started",
        "speech_stopped",
        "committed",
        "created",
        "delta one",
        "completed one",
    ]


def test_probabilities_of_words_are_told_if_asked_for() -> None:
    settings = SessionSettings().updated({"include": ["item.input_audio_transcription.logprobs"]})

    async def turn(client: Client) -> None:
        client.live.says("speech_started")
        client.live.says("speech_stopped")
        client.live.says("final", "one two")
        await client.settle()

    events = run(turn, settings=settings).events
    delta = next(each for each in events if each["type"].endswith("delta"))
    assert delta["logprobs"] == events[-1]["logprobs"]
    assert [each["token"] for each in delta["logprobs"]] == [" one", " two"]
    assert delta["logprobs"][0]["bytes"] == list(b" one")


def append(data: bytes) -> dict[str, str]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def test_samples_may_be_cut_anywhere() -> None:
    data = np.arange(6000, dtype="<i2").tobytes()

    async def pieces(client: Client) -> None:
        for start in range(0, len(data), 701):
            await client.session.receive(append(data[start : start + 701]))
        await client.commit()
        assert client.live.fed_s == pytest.approx(6000 / 24_000)

    run(pieces)


def test_a_flood_of_tiny_pieces_is_fed_in_few() -> None:
    fed: list[int] = []

    async def flood(client: Client) -> None:
        take = client.live.feed
        client.live.feed = lambda samples, rate: fed.append(len(samples)) or take(samples, rate)  # type: ignore[method-assign]
        for _ in range(2400):
            await client.session.receive(append(b"\0\0"))

    run(flood)
    assert fed == [480] * 5


ERRORS = [
    pytest.param(append(b"")["audio"], "invalid_value", id="no object"),
    pytest.param({}, "invalid_value", id="no type"),
    pytest.param({"type": "x"}, "invalid_value", id="unknown"),
    pytest.param({"type": "response.create"}, "invalid_value", id="an answer"),
    pytest.param({"type": "session.update"}, "invalid_value", id="no session"),
    pytest.param({"type": "session.update", "session": 3}, "invalid_value", id="session"),
    pytest.param({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", id="base64"),
    pytest.param({"type": "input_audio_buffer.append", "audio": 1}, "invalid_value", id="number"),
    pytest.param(
        {"type": "session.update", "session": {"input_audio_transcription": {"model": "huge"}}},
        "model_not_found",
        id="model",
    ),
    pytest.param(
        {"type": "session.update", "session": {"input_audio_transcription": {"language": "xx"}}},
        "invalid_value",
        id="language",
    ),
]


@pytest.mark.parametrize(("event", "code"), ERRORS)
def test_errors_name_the_event_and_the_session_goes_on(event: Any, code: str) -> None:
    if isinstance(event, dict):
        event = {**event, "event_id": "mine"}

    async def wrong(client: Client) -> None:
        await client.session.receive(event)
        (told,) = client.events
        assert (told["type"], told["error"]["code"]) == ("error", code)
        assert told["error"]["type"] == "invalid_request_error"
        assert told["error"]["event_id"] == ("mine" if isinstance(event, dict) else None)
        client.events.clear()
        client.live.says("speech_started")
        assert await client.told() == ["speech_started"]

    run(wrong)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff\xfe", '"x'])
def test_what_is_no_json_is_an_error(text: str | bytes) -> None:
    async def wrong(client: Client) -> None:
        await client.session.receive_text(text)
        assert await client.told() == ["error invalid_json"]

    run(wrong)


IGNORED_EVENTS = ["response.cancel", "output_audio_buffer.clear", "conversation.item.delete"]


@pytest.mark.parametrize("kind", IGNORED_EVENTS)
def test_events_of_conversations_that_change_nothing_are_passed_over(kind: str) -> None:
    async def harmless(client: Client) -> None:
        await client.session.receive({"type": kind, "item_id": "x"})
        assert await client.told() == []

    run(harmless)


@pytest.mark.parametrize("model", ["gpt-realtime", "gpt-4o-mini-transcribe-2025-12-15"])
def test_models_of_openai_stand_for_the_default(model: str) -> None:
    async def nothing(_: Client) -> None:
        pass

    assert run(nothing, model=model).service.models.borrowed == ["base"]


def test_a_model_that_is_not_served_is_refused_before_the_session() -> None:
    async def main() -> None:
        client = Client("huge")
        await client.session.prepare()

    with pytest.raises(Refusal, match="not served"):
        asyncio.run(main())
