"""Validation photos, asked of every file alike: answers, the threshold chosen anew, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from gonogo.data.cache import load_sample
from gonogo.data.manifest import Manifest
from gonogo.evaluate.decision import Decision
from gonogo.evaluate.drop import rightly
from gonogo.evaluate.good_alone import limit_from
from gonogo.evaluate.metrics import Evaluation, evaluate
from gonogo.evaluate.options import policy_from
from gonogo.evaluate.policies import choose_decision
from gonogo.runtimes import Session
from gonogo.train.novelty import HELD_BACK
from gonogo.train.run import Run
from gonogo.types import Answer, BoolArray


@dataclass(frozen=True)
class Judged:
    """A file on the validation photos.

    Attributes:
        decision: with the thresholds that hold for this file.
        figures: rates with intervals.
        rightly: (N,) which photos get what they should.
        answer: to the N photos, without heat maps.
    """

    decision: Decision
    figures: Evaluation
    rightly: BoolArray
    answer: Answer


class Validation:
    """The validation photos of a run.

    Args:
        run: a finished run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        whole = run.manifest()
        self.manifest: Manifest = whole.select("val")
        # Where any photo of the set names or shares its part, parts are what is counted, as they were in training.
        self.groups = self.manifest.groups if whole.has_groups else None

    def ask(
        self, sessions: Mapping[str, Session], progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Answer]:
        """Ask every file for one photo after the other, as on the line; each is decoded once.

        Raises:
            DataError: a photo is gone or broken.
        """
        rows: dict[str, list[Answer]] = {name: [] for name in sessions}
        for done, sample in enumerate(self.manifest.samples, start=1):
            photo = load_sample(self.manifest, sample, self._run.config.geometry)[None]
            for name, session in sessions.items():
                rows[name].append(session(photo)._replace(heatmap=None))
            if progress:
                progress(done, len(self.manifest))
        return {name: Answer.join(answers) for name, answers in rows.items()}

    def judge(self, answer: Answer, decision: Decision | None = None) -> Judged:
        """Measure a file, with the threshold that the run's own options choose on its answers.

        Args:
            answer: to the validation photos.
            decision: the threshold, where it was chosen already.
        """
        labels = self.manifest.labels
        decision = decision or self._choose(answer)
        figures = evaluate(decision, labels, answer.pred_probs, self.groups)  # as the run's own: known photos alone
        return Judged(decision, figures, rightly(decision, labels, answer), answer)

    def _choose(self, answer: Answer) -> Decision:
        task, options = self._run.config.task, self._run.config.decision
        if self.good_alone:
            return limit_from(**options).choose(task, answer.pred_probs, self.groups, HELD_BACK)
        return choose_decision(task, self.manifest.labels, answer.pred_probs, self.groups, policy_from(**options))

    @cached_property
    def good_alone(self) -> bool:
        """True where no defect was ever shown to the network."""
        return bool(self._run.metrics.get("good_alone"))
