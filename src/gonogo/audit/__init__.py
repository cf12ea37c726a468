"""Checks of the photos before anything is trained: one check per file."""
