"""Photos, labels, groups and splits: what everything else stands on."""
