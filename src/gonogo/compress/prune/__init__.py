"""Pruning: channels and blocks that are gone from the network, not masked in it."""
