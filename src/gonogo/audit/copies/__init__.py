"""Find copies and overlapping crops of one photo, however turned, mirrored, shifted, lit or compressed."""

from gonogo.audit.copies.find import Copies, CopyPair, find_copies

__all__ = ["Copies", "CopyPair", "find_copies"]
