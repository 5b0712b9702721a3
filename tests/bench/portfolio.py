"""Which configurations are strong on many public tables, and whether a table's likes say which to try first.

Every family's default, its portfolio by hand and draws from its space are measured on two of five folds of each table;
results are kept, and gone on with. Then each table in turn is left out: the others say what is tried on it, all alike,
or the more the more they are like it. `--write` renews the table that a search reads.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tests.bench.portfolio_parts import judging, sources

ROOT = Path(__file__).resolve().parents[2]
HOME = Path.home() / ".cache" / "penstock" / "portfolio"
LIBRARIES = ("lightgbm", "sklearn", "torch")  # never two in one process


def main() -> None:
    """Measure what is missing, print what leaving one out says, and write the table if asked."""
    asked = _options()
    sources.install(asked.packages)
    measured = run_missing(asked)
    tables = judging.read(measured, asked.packages, asked.results)
    for line in judging.report(tables):
        print(line)
    if asked.write:
        judging.write(tables)
    print(json.dumps(judging.measures(tables)))


def run_missing(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a record for each table and library, those that were not kept measured now."""
    path = asked.results / "errors.jsonl"
    asked.results.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {(one["source"], one["problem"], one["library"]) for one in kept}
    wanted = [
        (source, library)
        for library in LIBRARIES
        for source in interleaved(sources.SOURCES)
        if (source.name, source.problem, library) not in known
    ]
    wanted.sort(key=lambda one: one[0].problem == "multiclass")  # many classes take longest
    with ThreadPoolExecutor(asked.processes) as pool:
        begun = [pool.submit(_measured, source, library, asked) for source, library in wanted]
        for place, done in enumerate(as_completed(begun), 1):
            found = done.result()
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")
            kept.append(found)
            print(f"{place} of {len(wanted)}: {found['source']}, {found['library']}", file=sys.stderr, flush=True)
    return kept


def interleaved(all_of: tuple[sources.Source, ...]) -> list[sources.Source]:
    """Return tables of each problem in turn, so that what is measured so far says something of each."""
    places: dict[str, int] = {}
    keyed = []
    for source in all_of:
        places[source.problem] = places.get(source.problem, 0) + 1
        keyed.append((places[source.problem], source.problem, source))
    return [source for _, _, source in sorted(keyed, key=lambda one: one[:2])]


def _measured(source: sources.Source, library: str, asked: argparse.Namespace) -> dict[str, Any]:
    file = judging.predictions_path(asked.results, source.name, source.problem, library)
    arguments = [source.name, source.problem, library, str(asked.packages), str(file)]
    order = [sys.executable, "-m", "tests.bench.portfolio_parts.measuring", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as a slot's process has them
    done = subprocess.run(order, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"source": source.name, "problem": source.problem, "library": library, "error": done.stderr[-500:]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HOME / "results", help="kept, and gone on with")
    parser.add_argument("--packages", type=Path, default=HOME / "packages", help="where the tables are put")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="renew the table that a search reads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
