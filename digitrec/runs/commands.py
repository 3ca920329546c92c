"""The commands: arguments -> output on the terminal and an exit code."""

import sys
from argparse import Namespace
from collections.abc import Sequence

from digitrec.errors import DigitrecError, UsageError
from digitrec.run_folder.epochs import progress, read_epochs
from digitrec.run_folder.filters import chosen
from digitrec.run_folder.find import find_runs, pick_run
from digitrec.run_folder.groups import grouped
from digitrec.run_folder.ranking import best_run, check_metric, ranked, usual_metric
from digitrec.run_folder.run import EVALUATION, Run
from digitrec.runs.json_csv import flat, group_entry, print_csv, print_json, run_entry, safe
from digitrec.system.terminal import DONE, FAILED
from digitrec.system.wording import counted, printable

METRICS = ("val/accuracy", "test/accuracy")


def list_command(arguments: Namespace) -> int:
    """A table of runs or, with --group, of recipes."""
    everything = find_runs(arguments.folders, note)
    runs = chosen(everything, arguments.where)
    metric = arguments.sort or _known_metric(runs)
    for name in (arguments.sort, *arguments.metrics) if runs else ():
        if name is not None and name not in METRICS:
            check_metric(name, everything)
    metrics = list(dict.fromkeys([*arguments.metrics, metric]))
    if arguments.group:
        return _list_groups(runs, metric, metrics, arguments)
    best_first = ranked(runs, metric)[: arguments.limit]
    epochs = {run.name: progress(run) for run in best_first if run.status == "running"}
    if arguments.json or arguments.csv:
        entries = [run_entry(run, epochs.get(run.name, "")) for run in best_first]
        _print_entries(entries, arguments)
    elif runs:
        from digitrec.run_folder.tables import print_runs

        print_runs(best_first, metrics, f"{counted(len(runs), 'run')}, the best by {metric} first", epochs)
    else:
        note(_nothing(everything, arguments))
    return DONE


def _list_groups(runs: Sequence[Run], metric: str, metrics: list[str], arguments: Namespace) -> int:
    groups = grouped(runs, metric)[: arguments.limit]
    if arguments.json or arguments.csv:
        _print_entries([group_entry(group) for group in groups], arguments)
    elif groups:
        from digitrec.run_folder.tables import print_groups

        print_groups(groups, metrics, f"{counted(len(groups), 'recipe')}, the best mean of {metric} first")
    else:
        note(_nothing(runs, arguments))
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
    """Two runs side by side, and a page about them."""
    runs = find_runs(arguments.folders, _ignore)
    a, b = (pick_run(text, runs, note) for text in (arguments.a, arguments.b))
    if a.folder.resolve() == b.folder.resolve():
        raise UsageError(f"{arguments.a} and {arguments.b} are the same run, {a.folder}; name two")
    from digitrec.runs.compare import compare, pair_entry, pair_rows, place, print_pair
    from digitrec.runs.page import write_comparison

    pair = compare(a, b, find_runs(arguments.folders, _ignore, kind=EVALUATION))
    entry = pair_entry(pair)
    page = write_comparison(pair, entry, place(a, b))
    if arguments.json:
        print_json(entry | {"page": str(page)})
    elif arguments.csv:
        print_csv(pair_rows(pair))
    else:
        print_pair(pair)
        print(f"page: {page}")  # noqa: T201
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
    return f"no runs below {searched}; train one: python -m digitrec.train data=digits model=mlp"


def note(line: str) -> None:
    """Print a note on stderr, apart from the output."""
    print(f"note: {printable(line)}", file=sys.stderr)  # noqa: T201


def _ignore(line: str) -> None:
    """Drop notes about other runs than the chosen ones."""
