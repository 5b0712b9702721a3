"""The result of a validation as one HTML page that refers to no other file or host."""

from collections.abc import Iterable
from html import escape

from penstock.domain.datasets import ExpectationResult, Finding, ValidationReport

STYLE = """
:root{--ink:#1d2430;--soft:#5d6778;--line:#e3e7ee;--paper:#fff;--ground:#f5f7fa;--good:#18794e;--warn:#9a6700;--bad:#c0352b}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf1;--soft:#9aa4b5;--line:#2d3543;--paper:#1a202b;--ground:#12161e;
--good:#4cc38a;--warn:#e2b340;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.6rem;margin:0}
h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.sub{color:var(--soft);margin:.2rem 0 1.4rem}
.mono{font-family:ui-monospace,monospace;font-size:.85em}
.verdict{border-left:4px solid var(--tone);background:var(--paper);padding:.9rem 1.1rem;border-radius:0 8px 8px 0}
.verdict p{margin:.25rem 0}
.verdict b{color:var(--tone)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem;margin:1.2rem 0}
.card{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem}
.card b{display:block;font-size:1.45rem;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:.85rem}
table{width:100%;border-collapse:collapse;background:var(--paper);border:1px solid var(--line);border-radius:8px}
th,td{text-align:left;padding:.5rem .8rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;font-size:.82rem}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr:last-child td{border-bottom:0}
.tag{font-size:.78rem;font-weight:600;color:var(--tone)}
.bar{height:5px;border-radius:3px;background:var(--line);margin-top:.35rem;min-width:6rem}
.bar i{display:block;height:5px;border-radius:3px;background:var(--tone)}
details summary{cursor:pointer;color:var(--soft);font-size:.85rem;margin-top:.3rem}
ul.rows{margin:.3rem 0 0;padding-left:1.1rem}
ul.rows li{font-family:ui-monospace,monospace;font-size:.82rem;overflow-wrap:anywhere}
.critical{--tone:var(--bad)}
.warning{--tone:var(--warn)}
.note,.held{--tone:var(--good)}
"""
ORDER = {"critical": 0, "warning": 1, "note": 2}


def write_page(report: ValidationReport, rows: int) -> str:
    """Return the page of a validation.

    Parameters
    ----------
    report
        The validation; examples in it are masked already.
    rows
        The number of rows that were held against the expectations.

    Returns
    -------
    str
        HTML.
    """
    broken = sorted((one for one in report.results if not one.held), key=lambda one: (ORDER[one.level], -one.failing))
    held = [one for one in report.results if one.held]
    findings = sorted(report.findings, key=lambda finding: ORDER[finding.level])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(report.project)}: data validation</title><style>{STYLE}</style></head><body><main>
<h1>{escape(report.project)}: is the data fit to learn from?</h1>
<p class="sub">dataset version <span class="mono">{report.dataset[:12]}</span></p>
{_verdict(report)}
{_cards(report, rows, len(held))}
{_broken(broken, rows)}
{_findings(findings)}
{_held(held)}
</main></body></html>
"""


def _verdict(report: ValidationReport) -> str:
    if report.blocked:
        tone, said = "critical", "Stopped at the door."
    elif report.quarantined:
        tone, said = "warning", "Accepted without the rows that fail."
    else:
        tone, said = "held", "Accepted."
    reasons = report.reasons or ("Every critical expectation held.",)
    lines = "".join(f"<p>{escape(reason)}</p>" for reason in reasons)
    return f'<section class="verdict {tone}"><b>{said}</b>{lines}</section>'


def _cards(report: ValidationReport, rows: int, held: int) -> str:
    accepted = 0 if report.blocked else report.accepted.rows
    figures = (
        (f"{rows:,}", "rows read"),
        (f"{accepted:,}", "rows accepted"),
        (f"{report.quarantined:,}", "rows set aside"),
        (f"{held} of {len(report.results)}", "expectations held"),
    )
    cards = "".join(f'<div class="card"><b>{figure}</b><span>{name}</span></div>' for figure, name in figures)
    return f'<section class="cards">{cards}</section>'


def _broken(results: Iterable[ExpectationResult], rows: int) -> str:
    lines = "".join(_broken_row(result, rows) for result in results)
    if not lines:
        return ""
    head = "<tr><th>What must hold</th><th></th><th>Rows that fail</th></tr>"
    return f"<h2>Expectations that did not hold</h2><table>{head}{lines}</table>"


def _broken_row(result: ExpectationResult, rows: int) -> str:
    share = min(1.0, result.failing / max(1, rows))
    examples = "".join(f"<li>{escape(example)}</li>" for example in result.examples)
    shown = f'<details><summary>examples</summary><ul class="rows">{examples}</ul></details>' if examples else ""
    bar = f'<div class="bar"><i style="width:{max(share * 100, 1):.1f}%"></i></div>' if result.failing else ""
    detail = f'<div class="sub">{escape(result.detail)}</div>' if result.detail and not result.failing else ""
    return (
        f'<tr class="{result.level}"><td>{escape(result.rule)}{detail}{shown}</td><td><span class="tag">{result.level}'
        f'</span></td><td class="n">{result.failing:,} <span class="tag">{share:.1%}</span>{bar}</td></tr>'
    )


def _findings(findings: Iterable[Finding]) -> str:
    lines = "".join(
        f'<tr class="{finding.level}"><td><span class="tag">{finding.level}</span></td>'
        f"<td>{escape(finding.message)}</td></tr>"
        for finding in findings
    )
    return f"<h2>What else was seen</h2><table>{lines}</table>" if lines else ""


def _held(results: Iterable[ExpectationResult]) -> str:
    lines = "".join(f'<tr><td>{escape(result.rule)}</td><td class="n">{result.level}</td></tr>' for result in results)
    if not lines:
        return ""
    return f"<h2>Expectations that held</h2><details><summary>show them</summary><table>{lines}</table></details>"
