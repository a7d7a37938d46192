"""`showme doctor`: prints what is right with the installation and what is not, and what to do.

Nothing of the program is imported before its parts are known to load: a missing package is a finding, too.
"""

import json
from collections.abc import Iterator
from importlib import import_module

from rich.text import Text

from app.cli.terminal import out
from app.doctor.findings import Finding, State

PROGRAM = ("app.main", "app.cli.serving", "index.migrations")  # they import all the others
STYLES: dict[State, str] = {"right": "green", "note": "yellow", "wrong": "bold red"}
WIDTH = 16  # columns of a check's name


def examine(*, as_json: bool) -> int:
    """Print the findings, as they come or as one document; return the exit code: 1 if something would stop the service."""
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            _print(finding)
    num_wrong = sum(finding.state == "wrong" for finding in findings)
    if as_json:
        document = {"ok": not num_wrong, "findings": [finding._asdict() for finding in findings]}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        out.print(f"{num_wrong} of these would stop the service" if num_wrong else "the service can run")
    return 1 if num_wrong else 0


def _findings() -> Iterator[Finding]:
    try:
        for name in PROGRAM:
            import_module(name)
    except Exception as error:  # a package is missing, or built for another machine
        advice = "`make install`, or install the package showme with one of its extras cpu and gpu"
        yield Finding("program", "wrong", f"it does not load: {type(error).__name__}: {error}", advice)
        return
    from pydantic import ValidationError

    from app.doctor.examination import examine as examine_all
    from app.settings import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = f"SHOWME_{'_'.join(map(str, fault['loc'])).upper()}"
            yield Finding("settings", "wrong", f"{name}={fault['input']}: {fault['msg']}", f"change {name}")
        return
    yield from examine_all(settings)


def _print(finding: Finding) -> None:
    """Print a finding as one line, and its advice as another."""
    told = f"{finding.check:{WIDTH}}{_one_line(finding.message)}"
    out.print(Text.assemble((f"{finding.state:7}", STYLES[finding.state]), told), soft_wrap=True)
    if finding.advice:
        out.print(Text(f"{'':{7 + WIDTH}}→ {_one_line(finding.advice)}"), soft_wrap=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
