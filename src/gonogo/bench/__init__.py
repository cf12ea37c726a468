"""What a gauge costs on this machine."""
