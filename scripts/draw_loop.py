"""Draw `docs/pictures/loop.svg`: the stages of a model's life as the loop they are."""

import math
from html import escape
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "loop.svg"
STAGES = (
    ("data", "source to dataset version"),
    ("features", "a plan with reasons"),
    ("search", "families within a budget"),
    ("evaluation", "holdout, gates, judge"),
    ("rollout", "release and traffic"),
    ("serving", "predictions, journal"),
    ("monitoring", "drift, performance"),
    ("review", "people, labels"),
)
WIDTH, HEIGHT = 1000, 560
BOX_WIDTH, BOX_HEIGHT = 186, 58
RADIUS_X, RADIUS_Y = 385, 220
INK, PAPER, LINE = "#1f2d3d", "#f4f7fa", "#5b7083"


def main() -> None:
    """Write the picture."""
    centres = [place(number) for number in range(len(STAGES))]
    arrows = [arrow(*centres[number], *centres[(number + 1) % len(STAGES)]) for number in range(len(STAGES))]
    boxes = [box(*centre, *stage) for centre, stage in zip(centres, STAGES, strict=True)]
    middle = [
        text(WIDTH / 2, HEIGHT / 2 - 10, "a decision closes the loop", 17, bold=True),
        text(WIDTH / 2, HEIGHT / 2 + 14, "promote, hold, retrain, roll back, block", 14),
    ]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join([opening(), *arrows, *boxes, *middle, "</svg>"]) + "\n")


def place(number: int) -> tuple[float, float]:
    """Return the centre of a stage's box: clockwise, the first at the top."""
    angle = 2 * math.pi * number / len(STAGES) - math.pi / 2
    return WIDTH / 2 + RADIUS_X * math.cos(angle), HEIGHT / 2 + RADIUS_Y * math.sin(angle)


def opening() -> str:
    """Return the head of the picture, with the shape of an arrow's point."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="The loop of a model\'s life" font-family="sans-serif">\n'
        '<defs><marker id="point" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="{LINE}"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    )


def box(x: float, y: float, name: str, said: str) -> str:
    """Return a stage: its name, and what it gives."""
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    shape = (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{PAPER}" stroke="{LINE}"/>'
    )
    return shape + text(x, y - 5, name, 16, bold=True) + text(x, y + 16, said, 13)


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return an arrow from the border of one box to the border of the next."""
    begin, end = border(x1, y1, x2, y2), border(x2, y2, x1, y1)
    return (
        f'<line x1="{begin[0]:.0f}" y1="{begin[1]:.0f}" x2="{end[0]:.0f}" y2="{end[1]:.0f}" '
        f'stroke="{LINE}" stroke-width="2" marker-end="url(#point)"/>'
    )


def border(x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """Return where the line from a box's centre leaves the box, with a little air."""
    step_x, step_y = to_x - x, to_y - y
    inside = min((BOX_WIDTH / 2 + 5) / max(abs(step_x), 1e-9), (BOX_HEIGHT / 2 + 5) / max(abs(step_y), 1e-9))
    return x + step_x * inside, y + step_y * inside


def text(x: float, y: float, said: str, size: int, *, bold: bool = False) -> str:
    """Return a centred line of text."""
    style = f'font-size="{size}" fill="{INK}"' + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" {style}>{escape(said)}</text>'


if __name__ == "__main__":
    main()
