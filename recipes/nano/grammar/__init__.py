"""Parallel English and Russian sentences, made from templates and word lists."""
