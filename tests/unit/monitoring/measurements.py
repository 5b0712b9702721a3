"""What was measured of one window: performances that are sound, lost or unknown, and drift."""

from dataclasses import replace
from datetime import timedelta

from penstock.domain.monitoring import ColumnDrift, DriftReport, Performance, Window
from tests.unit.monitoring.world import DAYS, START

LATER = START + timedelta(days=DAYS)
WINDOW = Window("churn", 5, 1000, "t" * 64, LATER, LATER, "id", "1")
SOUND = Performance("roc_auc", 0.8, 0.79, 0.76, 0.82, 0.79, 500, 0.01, -0.03, tolerance=0.02)
LOST = replace(SOUND, measured=0.6, low=0.55, high=0.65, loss=0.2, loss_low=0.14, lost=True)
UNKNOWN = replace(SOUND, measured=None, low=None, high=None, loss=None, loss_low=None, labels=12)
STILL = DriftReport("churn", "d", 20_000, 1000, (ColumnDrift("age", "psi", 0.01, 0.2, False, "no"),))
MOVED = replace(STILL, columns=(ColumnDrift("age", "psi", 0.5, 0.2, True, "up to 30: 10% then, 40% now"),))
