"""Synthetic photos of castings with known defects, for trying things out and for tests.

Nothing here is imported from scipy until a photo is rendered.
"""

from gonogo.data.synthetic.dataset import SynthSummary, check_castings, write_castings
from gonogo.data.synthetic.defects import KINDS
from gonogo.data.synthetic.render import CleanPhoto, render_clean, render_photo

__all__ = ["KINDS", "CleanPhoto", "SynthSummary", "check_castings", "render_clean", "render_photo", "write_castings"]
