"""List, show, compare and delete runs: python -m digitrec.runs [list|show|best|compare|mistakes|plot|prune]."""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from digitrec.run_folder.find import DEFAULT
from digitrec.runs import commands
from digitrec.runs.commands import METRICS
from digitrec.system.terminal import Parser, end_with

EPILOG = """\
examples:
  python -m digitrec.runs list --sort test/accuracy --where "model=cnn val/accuracy>0.99"
  python -m digitrec.runs list --group                   one row per recipe: mean ± std (n) over its seeds
  python -m digitrec.evaluate checkpoint=$(python -m digitrec.runs best --print-path)
  python -m digitrec.runs compare 2bbc f436              a part of a run's name is enough
  python -m digitrec.runs compare --group model=cnn 'model=cnn optimizer=sgd'    is one recipe better, over seeds?
  python -m digitrec.runs prune --where status=failed    lists what would be deleted; --delete deletes it
"""


def main() -> None:
    """Entry point of the command line.

    Raises:
        SystemExit: 0 done, 1 failed, 2 wrong usage.
    """
    arguments = _parser().parse_args(_with_command(sys.argv[1:]))
    _take_folders(arguments)
    end_with(lambda: arguments.run(arguments))


def _with_command(arguments: list[str]) -> list[str]:
    """`list` where no command is given."""
    first = arguments[0] if arguments else "-"
    return arguments if not first.startswith("-") or first in ("-h", "--help") else ["list", *arguments]


def _take_folders(arguments: argparse.Namespace) -> None:
    """Take folders that stand behind --where or --metrics for what they are."""
    for option in ("where", "metrics"):
        words = getattr(arguments, option, [])
        if folders := [word for word in words if Path(word).is_dir()]:
            setattr(arguments, option, [word for word in words if word not in folders])
            given = [] if arguments.folders == [DEFAULT] else arguments.folders
            arguments.folders = [*given, *map(Path, folders)]


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="python -m digitrec.runs", description=__doc__, epilog=EPILOG, formatter_class=form)
    verbs = parser.add_subparsers(metavar="command", required=True)
    where = Parser(add_help=False)
    where.add_argument(
        "--where", nargs="+", action="extend", default=[], metavar="EXPRESSION",
        help='only these runs, as in "model=cnn val/accuracy>0.99"; = != for settings, < <= > >= for numbers',
    )  # fmt: skip
    folders = Parser(add_help=False)
    folders.add_argument(
        "folders", nargs="*", type=Path, default=[DEFAULT], help="searched for runs (default: outputs)"
    )
    inside = Parser(add_help=False)
    inside.add_argument("--in", dest="folders", nargs="+", type=Path, default=[DEFAULT], metavar="FOLDER",
                        help="to search (default: outputs)")  # fmt: skip
    output = Parser(add_help=False)
    form_of = output.add_mutually_exclusive_group()
    form_of.add_argument("--json", action="store_true", help="for scripts, at full precision")
    form_of.add_argument("--csv", action="store_true", help="the same as a table")

    lister = verbs.add_parser("list", parents=[folders, where, output], help="a table of runs, the best first")
    lister.add_argument("--sort", metavar="NAME", help="metric or setting (default: the runs' objective)")
    lister.add_argument("--metrics", nargs="+", metavar="METRIC", default=list(METRICS), help="columns of metrics")
    lister.add_argument("--group", action="store_true", help="runs that differ in their seeds only as one row")
    lister.add_argument("--limit", type=_count, metavar="N", help="only the first N of each data set")
    lister.set_defaults(run=commands.list_command)

    shower = verbs.add_parser("show", parents=[inside, output], help="settings, metrics, epochs, files of a run")
    shower.add_argument("which", metavar="RUN", help="a folder, a name from the list, or a part of one")
    shower.set_defaults(run=commands.show_command)

    chooser = verbs.add_parser("best", parents=[folders, where, output], help="the best run")
    chooser.add_argument("--metric", help="that decides (default: the runs' objective)")
    chooser.add_argument("--print-path", action="store_true", help="print only the path of its folder")
    chooser.add_argument("--checkpoint", action="store_true", help="print only the path of its best.ckpt")
    chooser.set_defaults(run=commands.best_command)

    comparer = verbs.add_parser("compare", parents=[inside, output], help="runs: is the difference real?")
    comparer.add_argument("a", metavar="A", help="a folder, a name from the list, or a part of one")
    comparer.add_argument("b", metavar="B", help="another")
    comparer.add_argument("others", nargs="*", metavar="C", help="more of them; A is compared with each")
    comparer.add_argument(
        "--group", action="store_true", help="A and B are expressions as of --where: two recipes, over seeds"
    )
    comparer.add_argument("--metric", help="with --group (default: the runs' objective)")
    comparer.set_defaults(run=commands.compare_command)

    wrong = verbs.add_parser("mistakes", parents=[inside, output], help="test images read wrong, as 9s read as 4")
    wrong.add_argument("which", metavar="RUN", help="a folder, a name from the list, or a part of one")
    wrong.add_argument("--label", metavar="CLASS", help="only images of this class")
    wrong.add_argument("--predicted", metavar="CLASS", help="only those read as this class")
    wrong.add_argument("-o", "--output", type=Path, metavar="FILE", help="draw the worst of them into this PNG")
    wrong.set_defaults(run=commands.mistakes_command)

    plotter = verbs.add_parser("plot", parents=[folders, where], help="a metric over a setting that varies")
    plotter.add_argument("--x", required=True, metavar="SETTING", help="that varies, as in optimizer.lr")
    plotter.add_argument("--y", default="val/accuracy", metavar="METRIC", help="final metric (default: %(default)s)")
    plotter.add_argument("--by", metavar="SETTING", help="a line for each of its values, as in model")
    plotter.add_argument("--log-x", action="store_true", help="logarithmic axis")
    plotter.add_argument("-o", "--output", type=Path, default=Path("outputs/plot.png"), metavar="FILE",
                         help="PNG, with a csv beside it (default: %(default)s)")  # fmt: skip
    plotter.set_defaults(run=commands.plot_command)

    pruner = verbs.add_parser("prune", parents=[folders, where, output], help="list runs to delete, or delete them")
    pruner.add_argument("--keep-best", type=_count, metavar="N", help="keep the best N of each data set")
    pruner.add_argument("--metric", help="for --keep-best (default: the runs' objective)")
    pruner.add_argument("--older-than", type=_age, metavar="AGE", help="only runs begun longer ago, as in 30d or 12h")
    pruner.add_argument("--delete", action="store_true", help="delete them now")
    pruner.set_defaults(run=commands.prune_command)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or above, got {text}")
    return int(text)


def _age(text: str) -> timedelta:
    from digitrec.runs.prune import parse_age

    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    main()
