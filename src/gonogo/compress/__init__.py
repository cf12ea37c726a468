"""Smaller and faster: each step is exported, timed and held against a gate."""
