from __future__ import annotations

from quest22.checkpoint.known_models import EMBEDDED_MODELS, KNOWN_MODELS


def test_short_names_are_those_users_of_whisper_know() -> None:
    sizes = {"tiny", "base", "small", "medium"}
    assert sizes | {f"{size}.en" for size in sizes} <= KNOWN_MODELS.keys()
    assert {
        "large",
        "large-v1",
        "large-v2",
        "large-v3",
        "turbo",
        "large-v3-turbo",
    } <= KNOWN_MODELS.keys()
    assert KNOWN_MODELS["large"].hub_id == KNOWN_MODELS["large-v3"].hub_id
    assert KNOWN_MODELS["turbo"].hub_id == KNOWN_MODELS["large-v3-turbo"].hub_id
    assert not any(name in KNOWN_MODELS for name in EMBEDDED_MODELS)
    for name, model in KNOWN_MODELS.items():
        assert model.name == name
        assert model.multilingual is not (name.endswith(".en") or name.startswith("distil"))
