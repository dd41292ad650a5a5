"""The peer: what a plain DRF project does for one insert, on the same engine and server.

A token looked up by its index, a serializer, one INSERT of a row like ours, the row as answer.
No locks, no rules, no events, no audit, no idempotency: the least that any of them could cost.
"""
