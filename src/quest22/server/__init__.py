"""Serves transcription to the clients people already have, on one engine.

    protocols    openai/ deepgram/ wyoming/ page/   what clients speak, and nothing else
    service      service.py                         transcribe a recording, open a live session
    models       models.py                          checkpoints by name, loaded when used
    access       access/                            who may, how much, whether there is room
    operations   operations/                        health, metrics, logs

Nothing of it is loaded by ``import quest22``; it needs ``quest22[server]``.
"""
