"""`python -m benchmarks [NAME ...]` times the core loops beside peers.

`compare A.json B.json` compares two runs, `history FOLDER` draws how the ratios of many went.

`mutants` counts the wrong gradients that gradient checkers find, `mutants --by-tests` the mistakes in jaxnn's own code
that its tests see. `gradbugs` asks the same checkers about gradients of other people. `plan` calculates what a step
would take on chips by their data sheets.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import jax
from rich.console import Console

from benchmarks import (
    cnn,
    comparison,
    conv,
    curves,
    ensemble,
    evaluation,
    feeding,
    first_result,
    gradient,
    hidden,
    history,
    limits,
    linear,
    mlp,
    neuralnet,
    plan,
    profiling,
    results,
    roofline,
    rprop,
    scaling,
    time_to_accuracy,
    verification,
)
from benchmarks.agreement import Different
from benchmarks.peers import HOW_TO_GET, cannot_import
from benchmarks.speedrun import record
from benchmarks.timing import alternate
from benchmarks.work import counted_by_xla
from jaxnn.formatting import duration

CASES: dict[str, ModuleType] = {
    "linear": linear,
    "hidden": hidden,
    "ensemble": ensemble,
    "rprop": rprop,
    "neuralnet": neuralnet,
    "mlp": mlp,
    "cnn": cnn,
    "conv": conv,
    "evaluate": evaluation,
    "gradient": gradient,
    "verify": verification,
    "first-result": first_result,
    "scaling": scaling,
    "feed": feeding,
    "accuracy": time_to_accuracy,
}
FAILED, INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status.

    0: done; 1: a case is not measured, its sides do not compute the same or do not get there, or the record is not what
    it is to be; 130: interrupted. Wrong arguments exit with 2, before any work starts.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["compare"]:
        return comparison.main(arguments[1:])
    if arguments[:1] == ["history"]:
        return history.main(arguments[1:])
    if arguments[:1] == ["plan"]:
        return plan.main(arguments[1:])
    if arguments[:1] == ["mutants"]:
        from benchmarks.mutants import by_tests, runner  # only here: they import every checker

        return (by_tests if "--by-tests" in arguments else runner).main(arguments[1:])
    if arguments[:1] == ["gradbugs"]:
        from benchmarks.gradbugs import runner  # as above

        return runner.main(arguments[1:])
    asked = parse(arguments)
    console = Console(highlight=False, markup=False)
    peers = available(asked.against, asked.names, console)
    where, all_rows, status = results.surroundings(peers), [], 0
    try:
        console.print("the machine's limits ...", style="dim")
        where["limits"] = limits.measured()
        status = run(asked, peers, where, all_rows, console)
    except KeyboardInterrupt:
        console.print("\ninterrupted; what was finished is kept", style="yellow")
        status = INTERRUPTED
    report(console, all_rows, where)
    has_roofline = any("flops" in row for row in all_rows)
    if asked.plot is not None and has_roofline:
        roofline.draw(all_rows, where["limits"], asked.plot)
    if asked.plot is not None and scaling.sweeps(all_rows):
        beside = asked.plot.with_stem(f"{asked.plot.stem}-scaling") if has_roofline else asked.plot
        curves.draw(scaling.sweeps(all_rows), beside)
    return status


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the cases in their own order, the peers, the number of samples and the file, all known to be usable."""
    default = [name for name, case in CASES.items() if not hasattr(case, "ONLY_NAMED")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which to run: {', '.join(CASES)}; default: {', '.join(default)}",
    )
    parser.add_argument("--against", default="", metavar="PEER[,PEER]", help=f"peers: {', '.join(HOW_TO_GET)}")
    parser.add_argument(
        "--samples", type=int, metavar="N", help="blocks a side (default: 20; feed 3, accuracy 5 seeds)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all samples")
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="where to draw the roofline, and FILE-scaling the sweeps; .png or .svg",
    )
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="where to write what JAX's profiler sees, DIR/NAME-VARIANT for each"
    )
    asked = parser.parse_args(arguments)
    asked.against = [peer for peer in dict.fromkeys(asked.against.split(",")) if peer]
    for what, given, known in (("NAME", asked.names, CASES), ("--against", asked.against, HOW_TO_GET)):
        unknown = [name for name in given if name not in known]
        if unknown:
            parser.error(f"{what}: got {', '.join(unknown)}, expected any of {', '.join(known)}")
    if asked.samples is not None and asked.samples < 1:
        parser.error(f"--samples: got {asked.samples}, expected a whole number of at least 1")
    inside = asked.profile and asked.profile / "profile"
    results.refuse_unwritable(parser, {"--json": asked.json, "--plot": asked.plot, "--profile": inside})
    if asked.plot is not None and asked.plot.suffix not in (".png", ".svg"):
        parser.error(f"--plot: got {asked.plot}, expected a name that ends in .png or .svg")
    asked.names = [name for name in CASES if name in (asked.names or default)]
    return asked


def available(against: Sequence[str], names: Sequence[str], console: Console) -> list[str]:
    """Return the peers that some case has and that can be had; say of the others why not and how to get them."""
    wanted = [peer for peer in against if any(peer in CASES[name].PEERS for name in names)]
    for peer in (peer for peer in against if peer not in wanted):
        console.print(f"{peer}: skipped, it is no peer of {', '.join(names)}", style="yellow", soft_wrap=True)
    problems = {peer: cannot_import(peer) for peer in wanted}
    for peer, problem in problems.items():
        if problem:
            line = f"{peer}: skipped, it cannot be imported ({problem}); get it with {HOW_TO_GET[peer]}"
            console.print(line, style="yellow", soft_wrap=True)
    if jax.default_backend() != "cpu" and wanted:
        console.print(f"peers run on the CPU, jaxnn on {jax.default_backend()}", style="yellow")
    return [peer for peer, problem in problems.items() if not problem]


def run(asked: argparse.Namespace, peers: list[str], where: dict, all_rows: list[dict], console: Console) -> int:
    """Measure the cases one after the other, add their rows and write the file after each; return the exit status."""
    status = 0
    for name in asked.names:
        case = CASES[name]
        for variant in case.VARIANTS:
            console.print(f"{name} {variant} ...", style="dim")
            try:
                rows = measured(name, variant, asked.samples or case.SAMPLES, peers, asked.profile)
            except (Different, time_to_accuracy.NotReached) as error:
                console.print(f"{name} {variant}: not measured, {error}", style="red", soft_wrap=True)
                status = FAILED
                continue
            for row in rows:
                console.print(f"{name} {row['variant']}: {row['who']} {duration(row['median'])}", style="dim")
            all_rows += rows
            if record.missed(rows):
                status = FAILED
            if asked.json is not None:
                results.write(asked.json, where, all_rows)
    return status


def measured(name: str, variant: str, samples: int, peers: list[str], profiles: Path | None = None) -> list[dict]:
    """Return the rows of one variant of a case; raise `Different` where its sides do not compute the same.

    With a folder for `profiles` write there, once all is timed, what JAX's profiler sees of jaxnn's side.
    """
    case = CASES[name]
    if hasattr(case, "measure"):  # a case that times no steps
        return case.measure(variant, samples, peers)
    sides = case.sides(variant, peers)
    timings = alternate(sides, samples)
    if profiles is not None:
        profiling.write(profiles / f"{name}-{variant.replace(' ', '-')}", sides["jaxnn"])
    if hasattr(case, "rows"):
        return case.rows(variant, timings)
    rows = results.rows(name, variant, timings, case.work(variant)._asdict() if hasattr(case, "work") else None)
    if hasattr(case, "memory"):
        rows[0]["memory"] = case.memory(variant)
    if hasattr(case, "program") and (counted := counted_by_xla(*case.program(variant))) is not None:
        rows[0]["xla_flops"] = counted
    return rows


def report(console: Console, all_rows: list[dict], where: dict) -> None:
    """Print the table, what each case is, how jaxnn stands to its peers, and what casts doubt on the results."""
    if not all_rows:
        return
    results.print_whole(results.table(all_rows))
    for name in dict.fromkeys(row["case"] for row in all_rows):
        console.print(f"{name}: {CASES[name].WHAT}", soft_wrap=True)
    for row in all_rows:
        if row["ratio"]:
            share = f"jaxnn takes {results.interval(results.inverse(row['ratio']))} of the time of {row['who']}"
            console.print(f"{row['case']} {row['variant']}: {share}", soft_wrap=True)
    for row in (row for row in all_rows if row["who"] == "jaxnn"):
        name = f"{row['case']} {row['variant']}"
        if "flops" in row:
            console.print(f"{name}: {results.reached(row, where['limits'])}", soft_wrap=True)
        if "memory" in row:
            console.print(f"{name}: memory at most: {results.memory(row)}", soft_wrap=True)
        if row["phases"]:
            console.print(f"{name}: first call {duration(row['first_call'])}: {results.phases(row)}", soft_wrap=True)
    for line in (*scaling.conclusions(all_rows), *conv.conclusions(all_rows), *record.conclusions(all_rows, where)):
        console.print(line, soft_wrap=True)
    for line in results.warnings(all_rows, where["load"]):
        console.print(f"warning: {line}", style="yellow", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
