"""Smaller and really faster: each step is exported, timed on the target and held to a drop in quality, or refused."""
