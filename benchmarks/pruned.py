"""What a pruned run lost on test photos, and how much faster it is.

    python benchmarks/pruned.py RUN PRUNED

Both answer the same test photos, none of which chose anything; the difference is paired over them. The times are of one
photo from camera pixels in ONNX Runtime, one thread, both files written alike and asked in turns.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from lightning_fabric import Fabric

from common import heading
from gonogo.compress.prune.patient import open_patient
from gonogo.evaluate.paired import paired_drop
from gonogo.models.cost import count_macs
from gonogo.train.run import Run
from gonogo.train.train import answers


def main() -> None:
    """Print a line for the accuracy and one for the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pruned", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    patient, fabric = open_patient(asked.run, None, 0), Fabric(accelerator="cpu", devices=1)
    smaller = Run.open(asked.pruned).load_network()
    heading(f"{asked.pruned.name} against {asked.run.name}")
    test = patient.prepared.manifest.select("test")
    before, after = (answers(network, patient.prepared, "test", fabric) for network in (patient.network, smaller))
    lost = paired_drop(patient.run.config.task, test.labels, before, after, test.groups if test.has_groups else None)
    print(f"{len(test.labels):,} test photos: {lost.before:.2%} -> {lost.after:.2%}, {lost.in_words()} lost")
    geometry, networks = patient.run.config.geometry, (patient.network, smaller)
    whole, left = (count_macs(network, geometry.network_channels, geometry.input_size) for network in networks)
    times = patient.times(original=patient.network, pruned=smaller)
    original, pruned = times["original"], times["pruned"]
    print(f"{whole / 1e6:.1f} -> {left / 1e6:.1f} M multiply-adds ({left / whole:.1%})")
    print(f"{original.p50_ms:.2f} -> {pruned.p50_ms:.2f} ms ({original.p50_ms / pruned.p50_ms:.2f}x)")
    print(f"{original.size_bytes / 1e6:.2f} -> {pruned.size_bytes / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
