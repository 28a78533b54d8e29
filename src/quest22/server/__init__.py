"""A transcription server with the APIs that existing clients use.

    protocols    openai/ deepgram/ wyoming/ live/ page/   one room per protocol
    service      service.py                               transcribe recordings, open live sessions
    models       models.py                                load and release checkpoints
    access       access/                                  keys, limits, capacity, origins
    operations   operations/                              health, metrics, logs, shutdown

``import quest22`` does not load it; it needs ``quest22[server]``.
"""
