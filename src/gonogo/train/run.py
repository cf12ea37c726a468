"""The folder a training leaves: configuration, weights, split, history, figures, predictions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from torch import Tensor

from gonogo import __version__
from gonogo.config import from_dict, read_toml, to_dict, toml_text
from gonogo.data.geometry import Geometry
from gonogo.data.manifest import Manifest, read_table
from gonogo.data.task import Task
from gonogo.errors import RunError
from gonogo.evaluate.decision import Decision
from gonogo.files import atomic_file, write_text
from gonogo.models.architecture import ModelSpec, Network
from gonogo.models.deployed import Deployed
from gonogo.models.novelty import Novelty
from gonogo.models.pruned import Pruning, replay, seal, unseal
from gonogo.train.checkpoint import load_tensors, save_tensors
from gonogo.train.prepare import DataOptions
from gonogo.train.recipe import Recipe
from gonogo.types import Float32Array, Int64Array

RUN_SCHEMA = 1
PREDICTIONS_NAME = "predictions.parquet"


@dataclass(frozen=True)
class RunConfig:
    """What ``run.toml`` holds: everything that decides the weights.

    Attributes:
        data: the folder or table trained on, as it was given.
        fingerprint: of the split manifest.
        options: what was said about the data.
        task: classes, and which is good.
        geometry: with the training photos' mean and std.
        model: architecture and widths.
        recipe: of the training.
        decision: how the threshold is chosen, the options that were given.
        leaky: for test and val, the share of photos (a rate object) whose part also stands in another split; None
            where no part does.
        weights: the pretrained weights it started from: source and sha256; empty where it started from nothing.
        made_from: the run that it was made from by pruning and the like, and how; empty where it was trained.
    """

    data: str
    fingerprint: str
    options: DataOptions
    task: Task
    geometry: Geometry
    model: ModelSpec
    recipe: Recipe
    decision: dict[str, Any] = field(default_factory=dict)
    leaky: dict[str, Any] | None = None
    weights: dict[str, str] = field(default_factory=dict)
    made_from: dict[str, Any] = field(default_factory=dict)

    def to_tables(self) -> dict[str, Any]:
        """Return the tables of ``run.toml``."""
        return {
            "schema": RUN_SCHEMA,
            "gonogo": __version__,
            "data": {
                "path": self.data,
                "fingerprint": self.fingerprint,
                **to_dict(self.options),
                **({} if self.leaky is None else {"leaky": self.leaky}),
            },
            "task": to_dict(self.task),
            "geometry": to_dict(self.geometry),
            "model": to_dict(self.model),
            "recipe": to_dict(self.recipe),
            "decision": self.decision,
            **({"weights": dict(self.weights)} if self.weights else {}),
            **({"made_from": dict(self.made_from)} if self.made_from else {}),
        }

    @classmethod
    def from_tables(cls, tables: dict[str, Any], where: str) -> RunConfig:
        """Read what `to_tables` wrote.

        Raises:
            RunError: another schema, or tables missing.
            ConfigError: unknown keys or wrong values.
        """
        if tables.get("schema") != RUN_SCHEMA:
            raise RunError(f"{where} has schema {tables.get('schema')}, expected {RUN_SCHEMA}; train again")
        try:
            data = dict(tables["data"])
            path, fingerprint, leaky = data.pop("path"), data.pop("fingerprint"), data.pop("leaky", None)
            return cls(
                data=path,
                fingerprint=fingerprint,
                options=from_dict(DataOptions, data, where=f"{where} [data]"),
                task=from_dict(Task, tables["task"], where=f"{where} [task]"),
                geometry=from_dict(Geometry, tables["geometry"], where=f"{where} [geometry]"),
                model=from_dict(ModelSpec, tables["model"], where=f"{where} [model]"),
                recipe=from_dict(Recipe, tables["recipe"], where=f"{where} [recipe]"),
                decision=dict(tables.get("decision", {})),
                leaky=leaky,
                weights=dict(tables.get("weights", {})),
                made_from=dict(tables.get("made_from", {})),
            )
        except KeyError as error:
            raise RunError(f"{where} lacks {error}; train again") from error


@dataclass(frozen=True)
class Run:
    """A run folder."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open a finished run.

        Raises:
            RunError: it is not a run, or its training has not finished.
        """
        run = cls(path)
        if not (path / "run.toml").is_file():
            raise RunError(f"{path} is not a run (no run.toml in it); give the folder that 'gonogo train' wrote")
        if not run.is_finished:
            raise RunError(f"{path}: the training has not finished; type the same 'gonogo train' command with --resume")
        return run

    @property
    def is_finished(self) -> bool:
        """True when the training came to its end."""
        return (self.path / "metrics.json").is_file()

    @property
    def checkpoint(self) -> Path:
        """Where the state goes after each epoch."""
        return self.path / "checkpoint.safetensors"

    @cached_property
    def config(self) -> RunConfig:
        """What ``run.toml`` says."""
        path = self.path / "run.toml"
        return RunConfig.from_tables(read_toml(path), str(path))

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What the training measured.

        Raises:
            RunError: the file is damaged.
        """
        path = self.path / "metrics.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read ({error}); train again") from error

    @property
    def decision(self) -> Decision:
        """The threshold chosen on validation."""
        return Decision.from_json(self.metrics["decision"])

    def manifest(self) -> Manifest:
        """Return the split table, its paths below the data's folder."""
        table = read_table(self.path / "manifest.csv", root=Path(self.metrics["data_root"]))
        return Manifest(table.root, table.samples, self.config.task.classes)

    def write_config(self, config: RunConfig, manifest: Manifest, history: Sequence[Pruning] = ()) -> None:
        """Write ``run.toml``, ``model.json`` with the history of prunings, and ``manifest.csv``."""
        self.path.mkdir(parents=True, exist_ok=True)
        # First the file that makes the folder a run: one that is killed here can be resumed or replaced.
        write_text(self.path / "run.toml", toml_text(config.to_tables()))
        manifest.write(self.path / "manifest.csv")
        self.write_history_of_prunings(config, history)

    def write_history_of_prunings(self, config: RunConfig, history: Sequence[Pruning]) -> None:
        """Write ``model.json``."""
        model = {**asdict(config.model), "history": seal(history)}
        write_text(self.path / "model.json", json.dumps(model, indent=2) + "\n")

    @property
    def history(self) -> tuple[Pruning, ...]:
        """What was taken out of the network as it was built.

        Raises:
            RunError: ``model.json`` is missing, damaged, or was changed after it was written; says where.
        """
        path = self.path / "model.json"
        try:
            steps = json.loads(path.read_text(encoding="utf-8"))["history"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be read ({error!r}); train again") from error
        return unseal(steps, str(path))

    def write_weights(self, weights: dict[str, Tensor]) -> None:
        """Write ``model.safetensors``."""
        save_tensors(self.path / "model.safetensors", weights)

    def load_network(self) -> Network:
        """Build the network, replay its prunings and load its weights, in evaluation mode.

        Raises:
            RunError: the weights or the history are missing, damaged or of another network.
        """
        network = self.config.model.build()
        replay(network, self.history, str(self.path / "model.json"))
        path = self.path / "model.safetensors"
        tensors, _ = load_tensors(path)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise RunError(f"{path} is not of the network in run.toml ({error}); train again") from error
        return network.eval()

    def write_novelty(self, novelty: Novelty) -> None:
        """Write ``novelty.safetensors``."""
        save_tensors(self.path / "novelty.safetensors", novelty.state_dict())

    def deployed(self) -> Deployed:
        """Return the network as it is deployed, with what tells the unknown where the run has it.

        Raises:
            RunError: as `load_network`.
        """
        path = self.path / "novelty.safetensors"
        novelty = Novelty.load(load_tensors(path)[0]) if self.metrics.get("novelty") else None
        return Deployed(self.load_network(), self.config.geometry, self.config.task, novelty).eval()

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write ``history.csv``, a row for each epoch."""
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / "history.csv", buffer.getvalue())

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write ``metrics.json``, which marks the run as finished."""
        write_text(self.path / "metrics.json", json.dumps(metrics, indent=2) + "\n")

    def read_predictions(self) -> tuple[Int64Array, Float32Array]:
        """Return what was answered to the validation photos: (M,) class numbers and (M, K) probabilities.

        Raises:
            RunError: the file is missing or damaged.
        """
        path, classes = self.path / PREDICTIONS_NAME, self.config.task.classes
        try:
            columns = pq.read_table(path).to_pydict()
            labels = np.array([classes.index(label) for label in columns["label"]], dtype=np.int64)
            pred_probs = np.array([columns[f"prob_{name}"] for name in classes], dtype=np.float32).T
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise RunError(f"{path} cannot be read ({error}); train again") from error
        return labels, pred_probs

    def write_predictions(self, manifest: Manifest, pred_probs: Float32Array) -> None:
        """Write ``predictions.parquet``: path, label, split and the probability of each class."""
        columns: dict[str, Any] = {
            name: [getattr(s, name) for s in manifest.samples] for name in ("path", "label", "split", "group")
        }
        columns |= {f"prob_{name}": pred_probs[:, k] for k, name in enumerate(manifest.classes)}
        with atomic_file(self.path / PREDICTIONS_NAME) as temporary:
            pq.write_table(pa.table(columns), temporary)
