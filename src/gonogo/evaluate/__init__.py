"""Figures, intervals and decisions: numbers in, numbers out."""
