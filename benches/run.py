#!/usr/bin/env python3
"""Rates one generated month by the engine, row by row, and by DuckDB, in turn, and writes
RESULTS.md. `run.py BINARY WORKFOLDER [RECORDS] [ROUNDS]`; see `make bench`.

Both read the same CSV file, DuckDB also the same rows as Parquet. What is compared is the
CPU time (user and system) of whole processes, from reading the file to the cents written.
"""

import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARQUET = """
import sys, duckdb
folder = sys.argv[1]
con = duckdb.connect()
def parquet(source, target, columns):
    con.execute(f"copy (select * from read_csv('{folder}/{source}', columns={columns!r})) to '{folder}/{target}' (format parquet)")
usage = dict(usagetype="integer", usageid="varchar", domainid="varchar", projectid="varchar", accountid="varchar",
    zoneid="varchar", virtualmachineid="varchar", startdate="timestamp", enddate="timestamp", rawusage="decimal(18, 6)",
    cpunumber="integer", memory="integer", offeringid="varchar", templateid="varchar", size="bigint")
parquet("ordered.csv", "ordered.parquet", usage)
parquet("shuffled.csv", "shuffled.parquet", usage)
parquet("segments.csv", "rules.parquet", dict(usagetype="integer", usageid="varchar", component="varchar",
    s="timestamp", e="timestamp", price="bigint", unit_size="bigint", period_ms="bigint", factor="bigint"))
"""


def cpu(command):
    """Runs a command to its end and gives its CPU seconds and peak memory in MB."""
    process = subprocess.Popen([str(part) for part in command])
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def python_with_duckdb(work):
    """A Python of its own with DuckDB, made once."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "duckdb==2.0.1"], check=True)
    return python


def machine():
    """The processor and the number of cores."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


# What is measured by hand, and stays when all else is measured anew.
BY_HAND = "\n## Ten million records"


def kept(results):
    """The part of the results that this program does not measure."""
    text = results.read_text() if results.exists() else ""
    _, heading, rest = text.partition(BY_HAND)
    return heading + rest


def main():
    binary, work = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    records = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    data = work / f"month-{records}"
    data.mkdir(parents=True, exist_ok=True)
    python = python_with_duckdb(work)
    subprocess.run([binary, "generate", data, str(records)], check=True)
    subprocess.run([python, "-c", PARQUET, data], check=True)
    peer = HERE / "peers" / "duckdb_rate.py"
    contenders = {
        "rating-engine, totals, CSV": lambda order: [binary, "totals", data, f"{order}.csv", data / "totals.csv"],
        "rating-engine, whole bill, CSV": lambda order: [binary, "bill", data, f"{order}.csv", data / "bill.csv"],
        "DuckDB, exact SQL, CSV": lambda order: [python, peer, data, f"{order}.csv", data / "csv.csv"],
        "DuckDB, exact SQL, Parquet": lambda order: [python, peer, data, f"{order}.parquet", data / "parquet.csv"],
    }
    results = ["totals.csv", "bill.csv", "csv.csv", "parquet.csv"]
    times = {(order, name): [] for order in ("ordered", "shuffled") for name in contenders}
    lines = 0
    for _ in range(rounds):
        for order in ("ordered", "shuffled"):
            for name, command in contenders.items():
                times[order, name].append(cpu(command(order)))
            ours, *others = (sorted((data / name).read_text().splitlines()) for name in results)
            lines = len(ours)
            if lines == 0 or any(ours != other for other in others):
                sys.exit(f"the contenders do not agree to the cent, see {data}")
    parsing = subprocess.run(
        [binary, "parse", str(min(records, 200_000)), str(rounds)], check=True, capture_output=True, text=True
    ).stdout
    ingest = subprocess.run(
        [binary, "ingest", data, str(min(records, 300_000)), str(rounds)], check=True, capture_output=True, text=True
    ).stdout
    memory = [(count, cpu([binary, "sync", data / "memory.sqlite", count])[1]) for count in (records, 3 * records)]
    (data / "memory.sqlite").unlink()
    text = report(records, rounds, lines, contenders, times, parsing, ingest, memory)
    results = HERE / "RESULTS.md"
    text += kept(results)
    results.write_text(text)
    print(text)


def report(records, rounds, lines, contenders, times, parsing, ingest, memory):
    ours = next(iter(contenders))
    rows = []
    for order in ("ordered", "shuffled"):
        for name in contenders:
            runs = times[order, name]
            # pair by pair: the machine's speed drifts
            ratios = [other[0] / own[0] for other, own in zip(runs, times[order, ours])]
            seconds = statistics.median(run[0] for run in runs)
            peak = max(run[1] for run in runs)
            rows.append(f"| {name} | {order} | {seconds:.2f} | {statistics.median(ratios):.2f} | {peak:.0f} |")
    return f"""# Results

`make bench` on {machine()}: medians of {rounds} rounds, in which all contenders take turns. Read the
ratios, not the seconds.

## {records} records, {lines} lines of cents

A month of usage of 13 types ([`src/workload.rs`](src/workload.rs)): {records} records in, cents per
domain, project, resource and component out, **equal to the cent in every round**, or the run fails.
CPU seconds (user and system) are those of whole processes, reading and writing included. The engine
takes rows one after the other, and reads book, inventory and tags besides; DuckDB gets its rules
compiled to segments beforehand, at no cost. *Totals* are these sums alone, as of DuckDB; the *whole
bill* has findings, explanations and the digest as well. *Shuffled*: within each day.

| contender | order | CPU s | times the CPU of totals | peak MB |
|---|---|---|---|---|
""" + "\n".join(rows) + f"""

## Share of the JSON parse rate

| step | records/s | speed against parsing the pages |
|---|---|---|
{parsing}
Both orders give the same bill and digest; the run fails otherwise.

## Sync into SQLite

| step | records/s | |
|---|---|---|
{ingest}
Peak memory of a sync of {memory[0][0]} records: {memory[0][1]:.0f} MB, of {memory[1][0]} records: {memory[1][1]:.0f} MB.
"""


main()
