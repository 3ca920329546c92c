"""Write the tables of README.md, docs/RESULTS.md and docs/SPEED.md, from the runs below outputs/.

docs/runs.jsonl keeps what these runs left, checkpoints aside: a run that is no longer below outputs/ still counts.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import yaml

from digitrec.errors import DigitrecError
from digitrec.run_folder.differences import unlike
from digitrec.run_folder.find import find_runs
from digitrec.run_folder.formatting import format_duration, format_metric, format_spread
from digitrec.run_folder.groups import Group, grouped, one_per_seed
from digitrec.run_folder.run import EVALUATION, TRAINING, Run
from digitrec.run_folder.settings import decides, flatten
from digitrec.system.terminal import end_with

SUMMARY = ("experiment", "published", "test accuracy", "validation", "parameters", "epochs", "time", "command")
README = ("experiment", "test accuracy", "parameters", "time", "command")
CIRCUMSTANCES = ("epochs", "time", "images/s", "device", "threads", "precision", "revision", "command")
NOTE = "\nMean ± sample standard deviation (number of seeds); time of the quickest run, start to end, and its device.\n"
MORE = "Written by `scripts/results`; every run with its circumstances: [docs/RESULTS.md](docs/RESULTS.md).\n"
KEPT = (
    "status", "seed", "start", "duration_s", "parameters", "data", "data_checksum", "device", "device_name", "threads",
    "precision", "git_revision", "command", "checkpoints", "tta",
)  # fmt: skip  # of run.json: nothing that names the machine's owner
HARMLESS_TO_EVALUATE = {"checkpoint", "tta", "data", "against", "robustness", "accelerator", "precision"}

Row = Mapping[str, Any]  # of docs/published.yaml


def main() -> None:
    """Entry point of the command line."""
    parser = argparse.ArgumentParser(prog="scripts/results", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something would change")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="another checkout")
    arguments = parser.parse_args()
    end_with(lambda: write_results(arguments.root.resolve(), check=arguments.check))


def write_results(root: Path, *, check: bool) -> int:
    """Write the pages of a checkout, or only print which are out of date; the exit code."""
    try:
        pages = make_pages(root)
    except (OSError, yaml.YAMLError) as error:
        raise DigitrecError(str(error)) from error
    stale = [file for file, text in pages.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    if check and stale:
        warn(f"out of date: {', '.join(file.name for file in stale)}; run scripts/results")
        return 1
    for file in stale:
        file.write_text(pages[file], encoding="utf-8")
    return 0


def make_pages(root: Path) -> dict[Path, str]:
    """Text of each file that is written from the runs of a checkout; DigitrecError if it cannot be made."""
    docs = root / "docs"
    rows: dict[str, Row] = yaml.safe_load((docs / "published.yaml").read_text(encoding="utf-8"))
    runs = read_runs(root, rows)
    groups = {name: group for name in rows if (group := current_group(root, name, rows[name], runs))}
    for name, count in sorted(Counter(run.name for run in runs if run.name).items()):
        if name not in rows:
            warn(f"{name}: left out {count} runs, it has no row in docs/published.yaml")
    if not any(run.name in rows for run in runs):
        raise DigitrecError(f"{root / 'outputs'} holds no finished run of a row of docs/published.yaml")
    ensembles = find_ensembles(runs, groups)
    summary, short, sections = [], [], []
    used = [run for group in groups.values() for run in by_seed(group)]
    for name, row in rows.items():
        cells = summarise(name, row, groups.get(name))
        summary.append(cells)
        if row.get("readme"):
            short.append([cells[SUMMARY.index(column)] for column in README])
        together = {title: run for (member, title), run in sorted(ensembles.items()) if member == name}
        summary += [summarise_ensemble(name, row, *item) for item in together.items()]
        used += together.values()
        if name in groups:
            lines = {str(run.seed): run for run in by_seed(groups[name])} | together
            sections.append(section(name, row, lines))
    readme, speed = root / "README.md", docs / "SPEED.md"
    results = f"# Results\n\nWritten by `scripts/results`; changes by hand are lost.\n\n{table(SUMMARY, summary)}{NOTE}"
    pages = {
        readme: with_part(readme, "results", table(README, short) + NOTE + MORE),
        docs / "RESULTS.md": "".join([results, *sections]),
        docs / "runs.jsonl": "".join(map(line, sorted(used, key=lambda run: run.folder))),
    }
    if benchmarks := sorted(root.glob("outputs/benchmark/*/benchmark.json")):
        pages[speed] = with_part(speed, "speed", speed_table(json.loads(benchmarks[-1].read_text(encoding="utf-8"))))
    return pages


def read_runs(root: Path, rows: Mapping[str, Row]) -> list[Run]:
    """Every finished and tested run, kept or below outputs/, the oldest first; `name` is that of its row."""
    file, outputs = root / "docs" / "runs.jsonl", [path for path in [root / "outputs"] if path.is_dir()]
    kept = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    runs = [Run(**{**entry, "folder": Path(entry["folder"]), "status": entry["record"]["status"]}) for entry in kept]
    runs += [trained(root, run, rows) for run in find_runs(outputs, warn, TRAINING)]
    runs += [evaluated(root, run) for run in find_runs(outputs, warn, EVALUATION)]
    tested = {run.folder: run for run in runs if run.status == "finished" and run.metrics.get("test/accuracy")}
    return sorted(tested.values(), key=lambda run: run.start)


def trained(root: Path, run: Run, rows: Mapping[str, Row]) -> Run:
    """What is kept of a training; `name` is empty if its command line sets more than its row leaves open."""
    choice = "experiment" if run.settings.get("experiment") else "model"
    name = run.settings.get("experiment") or f"model={run.settings.get('model')}"
    given = rows.get(name, {}).get("given", ())
    foreign = {setting for setting in run.overridden if decides(setting)} - {choice, *given}
    groups = {setting.partition(".")[0] for setting in run.settings if "." in setting}
    settings = {
        setting: value
        for setting, value in run.settings.items()
        if decides(setting) and setting not in {*groups, *given} and value not in (None, False, 0, "none", [])
    }  # without what is off: runs lack the settings that were added after them
    settings |= {key: run.record[key] for key in ("parameters", "data_checksum") if key in run.record}
    name = name if run.settings and not foreign else ""
    return replace(run, folder=run.folder.relative_to(root), name=name, record=kept_record(run), settings=settings)


def evaluated(root: Path, run: Run) -> Run:
    """What is kept of an evaluation; `settings` are those of its command line that may change its result."""
    record = kept_record(run) | {"checkpoints": [below_outputs(path) for path in run.record.get("checkpoints", ())]}
    changed = {key: run.settings.get(key) for key in run.overridden if decides(key) and key not in HARMLESS_TO_EVALUATE}
    return replace(run, folder=run.folder.relative_to(root), name="", record=record, settings=changed)


def kept_record(run: Run) -> dict[str, Any]:
    """The entries of run.json that docs/runs.jsonl keeps."""
    return {key: run.record[key] for key in KEPT if key in run.record}


def below_outputs(path: str) -> str:
    """The path of a run in any checkout."""
    parts = PurePath(path).parts
    last = max((place for place, part in enumerate(parts) if part == "outputs"), default=0)
    return PurePath(*parts[last:]).as_posix()


def line(run: Run) -> str:
    """A run's line of docs/runs.jsonl."""
    kept = {name: getattr(run, name) for name in ("name", "record", "metrics", "settings")}
    return json.dumps({"folder": run.folder.as_posix(), **kept}, ensure_ascii=False) + "\n"


def current_group(root: Path, name: str, row: Row, runs: Iterable[Run]) -> Group | None:
    """The newest runs of one recipe that agree with the experiment's file as it is now; a note names the others."""
    groups = grouped([run for run in runs if run.name == name], "test/accuracy")
    if not groups:
        return None
    file = root / "conf" / "experiment" / f"{name}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    left_open = {"defaults", *row.get("given", ())}
    now = {key: value for key, value in flatten(content) if decides(key) and key not in left_open}
    newest_first = sorted(groups, key=lambda group: group.runs[-1].start, reverse=True)
    agreeing = [
        group
        for group in newest_first
        if all((group.runs[0].settings.get(key) or 0) == (value or 0) for key, value in now.items())
    ]
    others = [group for group in groups if group not in agreeing[:1]]
    if others:
        newest = newest_first[0].runs[-1].settings
        settings = {key: value for key, value in {**newest, **now}.items() if value}
        wanted = agreeing[0].runs[-1] if agreeing else Run(root, "", settings=settings)
        keys = sorted({key for group in others for key in unlike(group.runs[0], wanted) if key != "seed"})
        count = sum(len(group.runs) for group in others)
        warn(f"{name}: left out {count} runs of another recipe ({', '.join(keys)})")
    return agreeing[0] if agreeing else None


def by_seed(group: Group) -> list[Run]:
    """The newest run of each seed, by seed."""
    return sorted(one_per_seed(group.runs), key=lambda run: run.seed or 0)


def find_ensembles(runs: Iterable[Run], groups: Mapping[str, Group]) -> dict[tuple[str, str], Run]:
    """The newest evaluation of each ensemble of runs of one row, by the row's name and its own."""
    members = {run.folder.as_posix(): (name, run) for name, group in groups.items() for run in group.runs}
    found = {}
    for run in runs:
        paths = [PurePath(path) for path in run.record.get("checkpoints", ())]
        folders = {folder.as_posix() for path in paths for folder in (path, *path.parents)} & members.keys()
        names = {members[folder][0] for folder in folders}
        if not 1 < len(paths) == len(folders) or len(names) > 1 or run.settings:
            continue
        if any(members[folder][1].record.get("data") != run.record.get("data") for folder in folders):
            continue
        tta = run.record.get("tta", "none")
        title = f"ensemble of {len(paths)}" + (f" + TTA {tta}" if tta != "none" else "")
        found[names.pop(), title] = run
    return found


def summarise(name: str, row: Row, group: Group | None) -> list[str]:
    """Cells of a row of the results table."""
    title, published, runs = title_of(name, row), row.get("published", ""), by_seed(group) if group else []
    seeds = ",".join(str(run.seed) for run in runs) or "1"
    overrides = [name if "=" in name else f"experiment={name}", *(f"{key}=..." for key in row.get("given", ()))]
    command = f"`{' '.join(['scripts/train', *(['-m'] if len(runs) > 1 else []), *overrides])} seed={seeds}`"
    if group is None:
        return [title, published, "not run yet", *[""] * 4, command]
    others = [f"{head} {spread(group, metric)}" for metric, head in row.get("show", {}).items()]
    quickest = min(runs, key=lambda run: run.seconds or 0)
    return [
        title,
        published,
        ", ".join([spread(group, "test/accuracy"), *others]),
        spread(group, "val/accuracy"),
        f"{quickest.record['parameters']:,}",
        str(quickest.settings.get("trainer.max_epochs", "")),
        f"{format_duration(quickest.seconds)}, {device(quickest)}",
        command,
    ]


def summarise_ensemble(name: str, row: Row, title: str, run: Run) -> list[str]:
    """Cells of a row of the results table, for the evaluation of several runs together."""
    parameters = f"{run.record['parameters']:,}" if "parameters" in run.record else ""
    accuracy = format_metric("test/accuracy", run.metrics["test/accuracy"])
    return [f"`{name}`, {title}", row.get("ensemble", ""), accuracy, "", parameters, "", "", ""]


def section(name: str, row: Row, lines: Mapping[str, Run]) -> str:
    """Every run of a row, with what it ran on."""
    metrics = {"val/accuracy": "validation", "test/accuracy": "test", **row.get("show", {})}
    cells = [
        [
            title,
            *(format_metric(metric, run.metrics.get(metric)) for metric in metrics),
            str(run.settings.get("trainer.max_epochs", "")),
            format_duration(run.seconds),
            format_metric("images/s", run.metrics.get("train/images_per_second")),
            device(run),
            *(str(run.record.get(key, "")) for key in ("threads", "precision")),
            "-".join([revision[:10], *suffix]),
            f"`{run.record.get('command', '')}`",
        ]
        for title, run in lines.items()
        for revision, *suffix in [str(run.record.get("git_revision") or "").split("-")]
    ]
    return f"\n## {title_of(name, row)}\n\n{table(('seed', *metrics.values(), *CIRCUMSTANCES), cells)}"


def speed_table(benchmark: Mapping[str, Any]) -> str:
    """The table of a benchmark, and the machine that it ran on."""
    machine = benchmark["machine"]
    lines = [[row["title"], row["text"], row["goal"]] for row in benchmark["rows"]]
    made_on = f"{machine['device_name']}, {machine['threads']} threads, torch {machine['torch']}, {machine['date']}"
    return f"{table(('figure', 'measured', 'goal'), lines)}\nMedians, made by `scripts/benchmark` on {made_on}.\n"


def title_of(name: str, row: Row) -> str:
    """Letter, network and name of a row."""
    return f"{row['system']}: {row['network']}, `{name}`" if "system" in row else f"{row['network']}, `{name}`"


def spread(group: Group, metric: str) -> str:
    """Mean and standard deviation of a metric of a group; empty if no run has it."""
    return format_spread(metric, group.metrics.get(metric))


def device(run: Run) -> str:
    """Name of the processor that trained."""
    return str(run.record.get("device_name") or run.record.get("device", ""))


def table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in line] for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def with_part(file: Path, name: str, content: str) -> str:
    """The file's text with new content between two marks; DigitrecError if they are missing."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, found, rest = file.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise DigitrecError(f"{file.name} needs the lines {begin.strip()} and {end.strip()} where the table belongs")
    return f"{before}{begin}{content}{end}{after}"


def warn(message: str) -> None:
    """Print a line on stderr."""
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    main()
