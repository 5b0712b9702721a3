"""Gather what is known of a challenger, from one tick to the next."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout.labelled import Labelled
from penstock.rollout.live import LiveAnswers, Seen, ShadowPairs
from penstock.rollout.observations import Evidence, Source
from penstock.rollout.replay import Replay

MOST_SECONDS = 10.0  # that one tick adds to a stage: while this process or the machine rests, nobody watches


@dataclass(slots=True)
class Gathered:
    """The evidence on one rollout: each source goes on where it was read to; a new process reads them anew.

    `lasted` is for how many seconds the stage has been watched here, tick by tick. A new process begins to count anew,
    and no clock that is set counts, so that a stage lasts longer then, and never less long.
    """

    replay: Replay
    shadow: ShadowPairs
    live: LiveAnswers
    labels: Labelled
    stage: int | None
    pairs: Source
    answers: Source
    asked: int = 0
    lasted: float = 0.0
    _ticked: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(cls, release: Release, workspace: Workspace) -> "Gathered":
        """Begin to gather evidence on a rollout."""
        return cls(
            Replay(release, workspace),
            ShadowPairs(release.project, release.version, release.champion, release.opened_at),
            _live(release),
            Labelled.begin(release, workspace),
            release.stage,
            Source("answers to the same rows"),
            Source("live answers"),
        )

    def go_on(self, release: Release, workspace: Workspace) -> Evidence:
        """Read what is new; a new stage begins its live answers anew."""
        if release.stage != self.stage:
            self.stage, self.live, self.answers = release.stage, _live(release), Source("live answers")
            self.labels.begin_stage()
            self.lasted, self._ticked = 0.0, time.monotonic()
        self.asked += self._take(self.pairs, self.replay.go_on())
        self._take(self.pairs, self.shadow.read(workspace))
        if release.state == "partial":
            self._take(self.answers, self.live.read(workspace))
        self.labels.read(workspace)
        now = time.monotonic()
        self.lasted, self._ticked = self.lasted + min(now - self._ticked, MOST_SECONDS), now
        return Evidence(
            self.pairs.seen,
            self.answers.seen,
            self.replay.ended,
            self.replay.broken,
            self.replay.judged,
            self.labels.lost,
            self.labels.missed,
            self.asked,
            self.pairs.unmeasured(),
            self.answers.unmeasured(),
            self.lasted,
        )

    def note_harmless(self) -> None:
        """Take note that the newest observations have shown no harm, so that they are looked at once."""
        self.pairs.note_harmless()
        self.answers.note_harmless()

    def _take(self, source: Source, found: Iterable[Seen]) -> int:
        """Take what was found, and return how many pairs of answers there are among what counts."""
        pairs = 0
        for observation, answered in found:
            if observation is not None:
                pairs += source.add(observation) and bool(observation.said)
            if answered is not None:
                self.labels.wait_for(answered)
        return pairs


def _live(release: Release) -> LiveAnswers:
    return LiveAnswers(release.project, release.version, release.stage_began or release.opened_at)
