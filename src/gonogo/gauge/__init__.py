"""The gauge: what is deployed, and the proof that it answers as it did."""
