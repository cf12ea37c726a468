"""How much to augment: for each augmentation, whether it keeps the label, covers what parts show, and helps."""
