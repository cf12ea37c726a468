"""Training: recipe, loader, loop and the run folder."""
