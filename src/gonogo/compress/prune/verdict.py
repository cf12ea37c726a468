"""Whether a pruned network pays: measured against the original, in time and on the validation photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_fabric import Fabric

from gonogo.compress import gate
from gonogo.compress.prune.cost import CostModel
from gonogo.compress.prune.patient import Patient
from gonogo.compress.prune.surgeon import Surgeon
from gonogo.compress.timing import FORMAT, Timed
from gonogo.errors import BarNotMetError
from gonogo.evaluate.paired import PairedDrop, paired_drop
from gonogo.export import EXPORTERS
from gonogo.models.architecture import Network
from gonogo.models.pruned import Pruning
from gonogo.train.train import answers
from gonogo.types import Float32Array


def check_faster(patient: Patient, network: Network) -> dict[str, Timed]:
    """Refuse what is not faster before it learns for an hour; return the times.

    Raises:
        BarNotMetError: it is not.
    """
    times = patient.times(original=patient.network, pruned=network)
    slow = not_faster(times)
    if slow:
        raise BarNotMetError(f"{slow}; give --round 8 or 16, --blocks, or a lower target")
    return times


def not_faster(times: Mapping[str, Timed]) -> str | None:
    """Return why a pruned network does not pay; None where it does."""
    speed = gate.speed_of(times["pruned"].milliseconds, times["original"].milliseconds)
    return gate.too_slow(speed, "pruned", EXPORTERS.get(FORMAT).runtime, gate.LEAST_SPEEDUP, "the original")


def hold_against(
    patient: Patient,
    surgeon: Surgeon,
    network: Network,
    fabric: Fabric,
    max_drop: float,
    times: dict[str, Timed] | None,
) -> dict[str, Any]:
    """Hold the pruned network against the original; return what ``metrics.json`` says of it.

    Args:
        patient: the original.
        surgeon: who took channels out.
        network: what is left, in the end.
        fabric: device and precision.
        max_drop: points that may be lost.
        times: of both; None where they were taken before an interruption.
    """
    labels, before = patient.run.read_predictions()
    after = answers(network, patient.prepared, "val", fabric)
    drop = drop_on_validation(patient, after)
    network.cpu()
    times = times or patient.times(original=patient.network, pruned=network)
    refused = not_faster(times)
    if drop.value > max_drop:
        lost = f"{drop.in_words()} were lost on validation, and --max-drop allows {max_drop:g}"
        refused = lost if refused is None else f"{refused}; {lost}"
    return {
        "round": surgeon.limits.multiple,
        **costs(surgeon, network, times),
        "accuracy_before": float((before.argmax(1) == labels).mean()),
        "accuracy_after": float((after.argmax(1) == labels).mean()),
        "drop": drop.to_json(),
        "refused": refused,
    }


def drop_on_validation(patient: Patient, after: Float32Array) -> PairedDrop:
    """Return what a network lost of the original on validation, from its (N, K) class probabilities."""
    labels, before = patient.run.read_predictions()
    val = patient.prepared.manifest.select("val")
    groups = val.groups if patient.prepared.manifest.has_groups else None
    return paired_drop(patient.run.config.task, labels, before, after, groups)


def costs(surgeon: Surgeon, network: Network, times: Mapping[str, Timed]) -> dict[str, Any]:
    """Return multiply-adds, parameters, times and bytes of both, as ``metrics.json`` has them."""
    left, whole = CostModel(network, surgeon.in_channels, surgeon.size)(Pruning()), surgeon.whole(Pruning())
    return {
        "macs_before": whole.macs,
        "macs_after": left.macs,
        "params_before": whole.params,
        "params_after": left.params,
        "p50_ms_before": times["original"].p50_ms,
        "p50_ms_after": times["pruned"].p50_ms,
        "size_bytes_before": times["original"].size_bytes,
        "size_bytes_after": times["pruned"].size_bytes,
    }
