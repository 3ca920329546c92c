"""The commands: arguments -> output on the terminal and an exit code."""

import csv
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.epochs import progress, read_epochs
from digitrec.run_folder.filters import by_setting, chosen, setting_named
from digitrec.run_folder.find import find_runs, pick_run
from digitrec.run_folder.groups import grouped
from digitrec.run_folder.ranking import best_run, check_metric, data_of, first_of_each, ranked, usual_metric
from digitrec.run_folder.run import EVALUATION, Run
from digitrec.runs.json_csv import flat, group_entry, print_csv, print_json, run_entry, safe
from digitrec.system.terminal import DONE, FAILED
from digitrec.system.wording import counted, printable, typed

METRICS = ("val/accuracy", "test/accuracy")


def list_command(arguments: Namespace) -> int:
    """A table of runs or, with --group, of recipes."""
    everything = find_runs(arguments.folders, note)
    runs = chosen(everything, arguments.where)
    setting = setting_named(arguments.sort, everything) if arguments.sort else None
    metric = (None if setting else arguments.sort) or _known_metric(runs)
    for name in (metric, *arguments.metrics) if arguments.sort and not setting else arguments.metrics:
        if runs and name not in METRICS:
            check_metric(name, everything)
    metrics = list(dict.fromkeys([*arguments.metrics, metric]))
    if arguments.group:
        return _list_groups(runs, everything, metric, metrics, arguments)
    rows = ranked(runs, metric) if setting is None else by_setting(runs, setting)
    rows = first_of_each(rows, map(data_of, rows), arguments.limit)
    how_far = {run.name: progress(run) for run in rows}
    if arguments.json or arguments.csv:
        _print_entries([run_entry(run, how_far[run.name].epochs) for run in rows], arguments)
    elif runs:
        from digitrec.run_folder.tables import print_runs

        order = f"by {setting}" if setting else f"the best by {metric} first"
        print_runs(rows, metrics, f"{counted(len(runs), 'run')}{_apart(runs)}, {order}", how_far, metric)
    else:
        note(_nothing(everything, arguments))
    return DONE


def _list_groups(
    runs: Sequence[Run], everything: Sequence[Run], metric: str, metrics: list[str], arguments: Namespace
) -> int:
    groups = grouped(runs, metric)
    groups = first_of_each(groups, (data_of(group.runs[0]) for group in groups), arguments.limit)
    if arguments.json or arguments.csv:
        _print_entries([group_entry(group) for group in groups], arguments)
    elif groups:
        from digitrec.run_folder.tables import print_groups

        title = f"{counted(len(groups), 'recipe')}{_apart(runs)}, the best mean of {metric} first"
        print_groups(groups, metrics, title, metric)
    else:
        note(_nothing(everything, arguments))
    return DONE


def show_command(arguments: Namespace) -> int:
    """All about one run."""
    run = pick_run(arguments.which, find_runs(arguments.folders, _ignore), note)
    from digitrec.runs.show import print_run, show_entry

    epochs = read_epochs(run.folder, note)
    if arguments.json:
        print_json(show_entry(run, epochs))
    elif arguments.csv:
        print_csv([{"name": name, "value": value} for name, value in flat(run_entry(run)).items()])
    else:
        print_run(run, epochs)
    return DONE


def best_command(arguments: Namespace) -> int:
    """The best run, or only its path."""
    everything = find_runs(arguments.folders, note)
    runs = chosen(everything, arguments.where)
    metric = arguments.metric or usual_metric(runs)
    if arguments.metric:
        check_metric(metric, everything)
    run = best_run(runs, metric)
    if apart := _apart([run for run in runs if metric in run.metrics]):
        note(f"runs{apart} do not compare; this one is of {data_of(run)}: choose with --where data=...")
    if arguments.checkpoint:
        checkpoint = run.folder / "checkpoints" / "best.ckpt"
        if not checkpoint.is_file():
            raise DigitrecError(f"{checkpoint}: no such file; the best run kept no checkpoint")
        print(safe(checkpoint))  # noqa: T201
    elif arguments.print_path:
        print(safe(run.folder))  # noqa: T201
    elif arguments.json:
        print_json(run_entry(run))
    elif arguments.csv:
        print_csv([flat(run_entry(run))])
    else:
        from digitrec.run_folder.tables import print_runs

        metrics = list(dict.fromkeys([metric, *METRICS]))
        print_runs([run], metrics, f"the best of {counted(len(runs), 'run')} by {metric}")
        print(safe(run.folder))  # noqa: T201
    return DONE


def compare_command(arguments: Namespace) -> int:
    """Runs side by side, the first against each other one, and a page about each of these pairs."""
    if arguments.group:
        return _compare_groups(arguments)
    runs = find_runs(arguments.folders, _ignore)
    named: dict[Path, str] = {}
    chosen_runs = []
    for text in (arguments.a, arguments.b, *arguments.others):
        run = pick_run(text, runs, note)
        if other := named.get(run.folder.resolve()):
            raise UsageError(f"{other} and {text} are the same run, {run.folder}; name each once")
        named[run.folder.resolve()] = text
        chosen_runs.append(run)
    from digitrec.runs.compare import compare, pair_entry, pair_rows, place, print_pairs
    from digitrec.runs.page import write_comparison

    evaluations = find_runs(arguments.folders, _ignore, kind=EVALUATION)
    pairs = [compare(chosen_runs[0], other, evaluations) for other in chosen_runs[1:]]
    entries = [pair_entry(pair) for pair in pairs]
    pages = [write_comparison(pair, entry, place(pair.a, pair.b)) for pair, entry in zip(pairs, entries, strict=True)]
    if arguments.json:
        found = [entry | {"page": str(page)} for entry, page in zip(entries, pages, strict=True)]
        print_json(found if len(found) > 1 else found[0])
    elif arguments.csv:
        of_run = [{"other": pair.b.name} if len(pairs) > 1 else {} for pair in pairs]
        print_csv([name | row for name, pair in zip(of_run, pairs, strict=True) for row in pair_rows(pair)])
    else:
        print_pairs(pairs)
        for page in pages:
            print(f"page: {page}")  # noqa: T201
    return DONE


def _compare_groups(arguments: Namespace) -> int:
    if arguments.others:
        raise UsageError("--group: expected two expressions, such as 'model=cnn' 'model=cnn optimizer=sgd'")
    runs = find_runs(arguments.folders, note)
    metric, names = arguments.metric or usual_metric(runs), (arguments.a, arguments.b)
    from digitrec.runs.recipes import choose, compare_recipes, lines

    found = compare_recipes(*choose(runs, names, metric), names, metric)
    if arguments.json:
        print_json(asdict(found))
    elif arguments.csv:
        print_csv([flat(asdict(found))])
    else:
        print("\n".join(lines(found)))  # noqa: T201
    return DONE


def mistakes_command(arguments: Namespace) -> int:
    """The test images that a run reads wrong, and a picture of the worst."""
    run = pick_run(arguments.which, find_runs(arguments.folders, _ignore), note)
    from digitrec.runs.mistakes import draw_mistakes, read_mistakes

    evaluations = find_runs(arguments.folders, _ignore, kind=EVALUATION)
    found = read_mistakes(run, evaluations, arguments.label, arguments.predicted)
    if arguments.json:
        print_json(found)
    elif arguments.csv:
        print_csv(found, ("index", "label", "prediction", "p_label", "p_prediction"))
    else:
        for entry in found:
            print(  # noqa: T201
                f"#{entry['index']:<6} {entry['label']} read as {entry['prediction']}"
                f" ({entry['p_prediction']:.1%}; {entry['label']}: {entry['p_label']:.1%})"
            )
    if not found:
        note(f"{run.name}: no such mistake")
    elif arguments.output:
        note(f"{arguments.output}: the worst {draw_mistakes(run, found, arguments.output)} of {len(found):,} mistakes")
    return DONE


def plot_command(arguments: Namespace) -> int:
    """A metric over a setting, as a PNG and a csv of the same name."""
    everything = find_runs(arguments.folders, note)
    runs = chosen(everything, arguments.where)
    if not runs:
        raise UsageError(_nothing(everything, arguments))
    from digitrec.runs.plot import draw, points

    found = points(runs, arguments.x, arguments.y, arguments.by)
    if arguments.log_x and any(point.x <= 0 for point in found):
        raise UsageError(f"--log-x: {arguments.x} is not above 0 everywhere; leave it out, or choose with --where")
    png = arguments.output.with_suffix(".png")
    draw(found, png, arguments.x, arguments.y, log_x=arguments.log_x)
    rows = [{"line": point.line, "x": point.x, **asdict(point.y)} for point in found]
    table = arguments.output.with_suffix(".csv")
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{safe(png)} and {safe(table)}: {counted(len(found), 'point')} of {counted(len(runs), 'run')}")  # noqa: T201
    return DONE


def prune_command(arguments: Namespace) -> int:
    """List the runs to delete; with --delete, delete them, and fail if one cannot be deleted."""
    from digitrec.run_folder.formatting import format_size
    from digitrec.runs.prune import Selection, delete_all, folder_size, print_selection, select

    runs = find_runs(arguments.folders, note)
    if arguments.metric:
        check_metric(arguments.metric, runs)
    metric = arguments.metric or usual_metric(runs)
    sizes: list[tuple[Run, int]] = []
    errors: list[str] = []
    for run in select(runs, Selection(arguments.where, arguments.keep_best, metric, arguments.older_than)):
        try:
            sizes.append((run, folder_size(run.folder)))
        except DigitrecError as error:
            errors.append(str(error))
    deleted = delete_all([run for run, _ in sizes], errors.append) if arguments.delete else []
    for line in errors:
        note(line)
    if arguments.json or arguments.csv:
        _print_entries(
            [run_entry(run) | {"bytes": count, "deleted": run in deleted} for run, count in sizes], arguments
        )
    elif sizes:
        print_selection(sizes)
        total = format_size(sum(count for run, count in sizes if run in deleted or not arguments.delete))
        if arguments.delete:
            print(f"deleted {counted(len(deleted), 'run')}, {total}")  # noqa: T201
        else:
            print(f"would delete {counted(len(sizes), 'run')}, {total}; to delete them, add --delete")  # noqa: T201
    else:
        note(f"none of {counted(len(runs), 'run')} would be deleted")
    return FAILED if errors and arguments.delete else DONE


def _print_entries(entries: list[dict[str, object]], arguments: Namespace) -> None:
    if arguments.json:
        print_json(entries)
    else:
        print_csv([flat(entry) for entry in entries])


def _known_metric(runs: Sequence[Run]) -> str:
    """The usual metric, or one of those shown if no run has it."""
    usual = usual_metric(runs)
    return next((name for name in (usual, *METRICS) if any(name in run.metrics for run in runs)), usual)


def _nothing(everything: Sequence[Run], arguments: Namespace) -> str:
    """Why a list is empty."""
    if everything or arguments.where:
        return f"none of {counted(len(everything), 'run')} fits {' '.join(arguments.where)}"
    searched = ", ".join(map(str, arguments.folders))
    return f"no runs below {searched}; train one: {typed('train')} data=digits model=mlp"


def _apart(runs: Sequence[Run]) -> str:
    """That runs are of several data sets, for a title; empty if they are not."""
    data = list(dict.fromkeys(map(data_of, runs)))
    return f" of {len(data)} data sets" if len(data) > 1 else ""


def note(line: str) -> None:
    """Print a note on stderr, apart from the output."""
    print(f"note: {printable(line)}", file=sys.stderr)  # noqa: T201


def _ignore(line: str) -> None:
    """Drop notes about other runs than the chosen ones."""
