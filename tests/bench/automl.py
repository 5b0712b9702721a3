"""Whose model is best for the same budget: our estimators beside other systems, on the same rows and cores.

Each run has a process of its own, each peer an environment of its own, installed once. Every system learns from the
same 70 % of the rows and is scored on the rest; columns that name rows or give the target away are left out, as
`index.json` of ../shared/data says. Results are kept, and a comparison goes on where it stopped.
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.automl_parts import peers, running, table
from tests.bench.automl_parts.keeping import Results
from tests.bench.automl_parts.sets import USUAL, described, load
from tests.bench.automl_parts.table import US, Comparison

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = (US, "autogluon_good", "autogluon_medium", "flaml", "h2o", "mljar", "lightgbm")
HOME = Path.home() / ".cache" / "penstock" / "automl"


def main() -> None:
    """Run what is missing, and print the comparison."""
    asked = _options()
    results = Results(asked.results)
    results.forget(asked.again, asked.sets, asked.seeds)
    absent: dict[str, str] = {}
    if not asked.report:
        absent = run_missing(asked, results)
    comparison = Comparison(
        records=results.read(),
        sets=tuple(asked.sets),
        seeds=tuple(asked.seeds),
        systems=tuple(system for system in asked.systems if system not in absent),
        problems={name: str(entry["task"]) for name, entry in described().items()},
        seconds=asked.seconds,
        cores=asked.cores,
        absent=absent,
    )
    print(f"\n{asked.seconds:.0f} s, {asked.cores} cores, seeds {', '.join(map(str, asked.seeds))}; {machine()}\n")
    for line in table.lines(comparison):
        print(line)
    print(json.dumps(table.measures(comparison)))


def run_missing(asked: argparse.Namespace, results: Results) -> dict[str, str]:
    """Run each system on each set and seed that has no result; return the systems that do not install, with reasons."""
    known = results.read()
    absent: dict[str, str] = {}
    for seed in asked.seeds:
        for name in asked.sets:
            for system in asked.systems:
                key = (name, seed, system, float(asked.seconds), asked.cores)
                if system in absent or key in known:
                    continue
                try:
                    python = peers.python_of(system, asked.environments)
                except RuntimeError as error:
                    absent[system] = str(error)
                    print(f"{system} is absent: {error}", flush=True)
                    continue
                log = asked.results.parent / "logs" / f"{name}-{seed}-{system}-{asked.seconds:.0f}s.log"
                job = running.Job(system, asked.seconds, asked.cores, seed, python, log)
                record = _head(key) | running.run(job, load(name, seed))
                if system == US:
                    record["version"] = commit()
                results.add(record)
                _tell(record)
    return absent


def commit() -> str:
    """Return which state of this project runs: its commit, with a plus where files differ from it."""
    told = [["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "src"]]
    said = [subprocess.run(["git", *one], cwd=ROOT, capture_output=True, text=True, check=False).stdout for one in told]
    return f"{said[0].strip() or 'unknown'}{'+' if said[1].strip() else ''}"


def machine() -> str:
    """Return what the comparison ran on."""
    names = [line.partition(":")[2].strip() for line in _text("/proc/cpuinfo") if line.startswith("model name")]
    memory = next((int(line.split()[1]) // 2**20 for line in _text("/proc/meminfo") if line.startswith("MemTotal")), 0)
    processor = names[0] if names else platform.processor()
    return f"{processor}, {os.cpu_count()} CPUs, {memory} GB, Python {platform.python_version()}"


def _text(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def _head(key: tuple[str, int, str, float, int]) -> dict[str, Any]:
    fields = dict(zip(("set", "seed", "system", "seconds", "cores"), key, strict=True))
    return fields | {"date": dt.datetime.now(dt.UTC).date().isoformat()}


def _tell(record: dict[str, Any]) -> None:
    said = record.get("error") or f"{record['scores']} in {record['fit_seconds']:.1f} s"
    print(f"{record['set']}, seed {record['seed']}, {record['system']}: {said}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=USUAL, choices=USUAL, metavar="SET")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, choices=SYSTEMS, metavar="SYSTEM")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1, 2, 3))
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--results", type=Path, default=HOME / "results.jsonl", help="kept, and gone on with")
    parser.add_argument("--environments", type=Path, default=HOME / "environments", help="where peers are installed")
    parser.add_argument(
        "--again",
        nargs="+",
        default=(),
        choices=SYSTEMS,
        metavar="SYSTEM",
        help="forget its results",
    )
    parser.add_argument("--report", action="store_true", help="run nothing; print what is kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
