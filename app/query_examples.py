"""Examples of the documents of queries, for the description of the API."""

from pydantic import JsonValue

EXAMPLE_HIT: dict[str, JsonValue] = {
    "instrument_id": "i_5d1c9a04be77",
    "name": "Fretless Bass",
    "family": "bass",
    "recognised_family": None,
    "source": "TimGM6mb.sf2#0:35",
    "similarity": 0.83,
    "preview_url": "/v1/instruments/i_5d1c9a04be77/preview",
}
EXAMPLE_FAMILY: dict[str, JsonValue] = {
    "family": "bass",
    "probability": 0.94,
    "active": [[0.0, 12.4]],
    "curve": [[2.5, 0.97], [5.0, 0.81], [7.5, 0.93], [9.9, 0.95]],
    "plays": True,
}
EXAMPLE_QUERY: dict[str, JsonValue] = {
    "id": "q_8c2f6ad0915e",
    "library": {"id": "l_0b1e6f3c9a2d", "name": "TimGM6mb", "num_instruments": 136},
    "mode": "auto",
    "encoder": "sha256:9f2c…",
    "name": "song.mp3",
    "duration_seconds": 12.4,
    "range_seconds": [0.0, 12.4],
    "num_instruments": 1,
    "slots": [
        {
            "slot": 0,
            "presence": 0.97,
            "active": [[0.0, 4.5], [6.0, 12.4]],
            "hits": [EXAMPLE_HIT | {"best_span": [7.5, 12.4], "lead": 0.06}],
            "curve": [[2.5, 0.97], [5.0, 0.21], [7.5, 0.93], [9.9, 0.95]],
            "family": "bass",
            "families": {"bass": 0.91, "guitar": 0.06},
            "match": {"probability": 0.86, "word": "strong"},
            "close": True,
        }
    ],
    "instruments": [{**EXAMPLE_HIT, "probability": 0.91, "slots": [0]}],
    "retrieved": ["i_5d1c9a04be77"],
    "families": [EXAMPLE_FAMILY],
    "audio_url": "/v1/queries/q_8c2f6ad0915e/audio",
    "asked_again": None,
    "family": None,
    "timing_ms": {"decode": 11.0, "encode": 43.0, "search": 0.4},
}
EXAMPLE_PROBLEM: dict[str, JsonValue] = {
    "type": "urn:showme:problem:not-audio",
    "title": "Not an audio file",
    "status": 415,
    "detail": "notes.txt is not an audio file",
    "value": "notes.txt",
    "limit": "wav, aiff, flac, ogg, opus, mp3, m4a, aac",
    "instance": "/v1/queries/batch",
    "request_id": "0f8fad5bd9cb469fa16570867728950e",
}
