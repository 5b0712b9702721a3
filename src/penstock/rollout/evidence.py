"""Gather what is known of a challenger, from one tick to the next."""

from dataclasses import dataclass

from penstock.domain.releases import Release
from penstock.domain.workspace import Workspace
from penstock.rollout.live import LiveAnswers, ShadowPairs
from penstock.rollout.observations import Evidence, Source
from penstock.rollout.replay import Replay


@dataclass(slots=True)
class Gathered:
    """The evidence on one rollout: each source goes on where it was read to; a new process reads them anew."""

    replay: Replay
    shadow: ShadowPairs
    live: LiveAnswers
    stage: int | None
    pairs: Source
    answers: Source

    @classmethod
    def begin(cls, release: Release, workspace: Workspace) -> "Gathered":
        """Begin to gather evidence on a rollout."""
        return cls(
            Replay(release, workspace),
            ShadowPairs(release.project, release.version, release.opened_at),
            _live(release),
            release.stage,
            Source("answers to the same rows"),
            Source("live answers"),
        )

    def go_on(self, release: Release, workspace: Workspace) -> Evidence:
        """Read what is new; a new stage begins its live answers anew."""
        if release.stage != self.stage:
            self.stage, self.live, self.answers = release.stage, _live(release), Source("live answers")
        for observation in self.replay.go_on():
            self.pairs.add(observation)
        for observation in self.shadow.read(workspace):
            self.pairs.add(observation)
        if release.state == "partial":
            for observation in self.live.read(workspace):
                self.answers.add(observation)
        return Evidence(self.pairs.seen, self.answers.seen, self.replay.ended, self.replay.broken)


def _live(release: Release) -> LiveAnswers:
    return LiveAnswers(release.project, release.version, release.stage_began or release.opened_at)
