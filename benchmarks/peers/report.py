"""The contest as text for benchmarks/README.md."""

import statistics

from benchmarks.measuring import spread, table
from benchmarks.orders import Cost, median
from benchmarks.peers.contest import HEDGEROW, NO_INDEX, NOTHING, Line


def full(copies: list[float], lines: list[Line]) -> str:
    """The whole table: seconds, cost, and how many times faster Hedgerow is."""
    ours = lines[0]
    head = [
        "full refresh",
        "rows",
        "seconds",
        "rows/s",
        "Hedgerow, times as fast",
        "CPU s",
        "peak MiB",
        "10,000 rows, s",
        "equal",
    ]
    copy = statistics.median(copies)
    rows = [head, [*_copy(copies, ours.rows), f"{copy / median(ours.costs['full']):.2f}", "", "", "", ""]]
    for line in lines:
        if line.failure:
            rows.append([line.name, f"{line.rows:,}", line.failure, *[""] * 6])
            continue
        costs, small = line.costs["full"], line.costs["small"]
        faster = f"{_rate(ours, ours) / _rate(line, ours):.1f}"
        rows.append(
            [
                f"**{line.name}**" if line is ours else line.name,
                f"{line.rows:,}",
                spread([cost.wall for cost in costs]),
                f"{_rate(line, ours):,.0f}",
                "" if line is ours else faster,
                f"{median(costs, _cpu):.1f}",
                f"{max(cost.mib for cost in costs):,.0f}",
                spread([cost.wall for cost in small]),
                "yes" if line.losses == [] else "see below",
            ]
        )
    return table(rows) + _losses(lines)


def incremental(lines: list[Line], whole: float) -> str:
    """One of a hundred rows changed: seconds, share of the full refresh (`whole` seconds), memory, and the ratio."""
    ours = lines[0]
    kinds = ("scattered", "clustered", NOTHING)
    head = ["1 % changed", *(f"{kind}, s" for kind in kinds), "Hedgerow, times as fast", "CPU s", "peak MiB", "equal"]
    rows = [head]
    for line in lines:
        if line.failure:
            rows.append([line.name, line.failure, *[""] * (len(head) - 2)])
            continue
        times = [median(line.costs[kind]) / median(ours.costs[kind]) for kind in kinds]
        rows.append(
            [
                f"**{line.name}**" if line.name in (HEDGEROW, NO_INDEX) else line.name,
                *(spread([cost.wall for cost in line.costs[kind]]) for kind in kinds),
                "" if line in lines[:2] else " / ".join(f"{time:.1f}" for time in times),
                " / ".join(f"{median(line.costs[kind], _cpu):.1f}" for kind in kinds),
                " / ".join(f"{max(cost.mib for cost in line.costs[kind]):,.0f}" for kind in kinds),
                "yes" if line.losses == [] else "see below",
            ]
        )
    return table(rows) + "\n\n" + "\n".join(_shares(line, whole) for line in lines[:2]) + _losses(lines)


def _shares(line: Line, whole: float) -> str:
    shares = [f"{kind} {median(line.costs[kind]) / whole:.0%}" for kind in ("scattered", "clustered")]
    work = spread([cost.work for cost in line.costs[NOTHING]])
    return f"{line.name}: {', '.join(shares)} of a full refresh; nothing changed, by the job's own times: {work} s.  "


def _copy(copies: list[float], rows: int) -> list[str]:
    rate = f"{rows / statistics.median(copies):,.0f}"
    return ["`psql -c 'COPY … (FORMAT binary)'` to nowhere: the limit", f"{rows:,}", spread(copies), rate]


def _rate(line: Line, ours: Line) -> float:
    """Rows a second. Who had fewer rows than Hedgerow gets its start taken off: it would weigh less with all rows."""
    seconds = median(line.costs["full"])
    if line.rows != ours.rows:
        seconds = max(seconds - median(line.costs["small"]), seconds / 10)
    return line.rows / seconds


def _losses(lines: list[Line]) -> str:
    found = [f"- {line.name}: {'; '.join(line.losses)}." for line in lines if line.losses]
    return "\n\nNot as in the source:\n\n" + "\n".join(found) if found else ""


def _cpu(cost: Cost) -> float:
    return cost.cpu
