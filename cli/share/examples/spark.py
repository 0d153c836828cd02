#!/usr/bin/env python3
"""Scans a list of domains on an Apache Spark cluster and writes Parquet.

    spark-submit spark.py [--tasks N] LIST OUT [-- OPTION ...]

LIST is a text file that all executors can read, OUT the folder for Parquet. Each of the N tasks (as
many as there are cores if not given) runs one `tlsfinger scan` on its part of the list; the options
behind `--` are given to it. The program must be in the PATH of the executors, or be named in
TLSFINGER. Limits such as --rate and --per-host hold for each process: divide them by the number of
tasks that run at once.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading

from pyspark.sql import SparkSession
from pyspark.sql.types import (
    BooleanType,
    IntegerType,
    StringType,
    StructField,
    StructType,
)

# What a row says of a destination; `record` is the whole record as JSON.
SCHEMA = StructType(
    [
        StructField("destination", StringType(), nullable=False),
        StructField("id", StringType()),
        StructField("began", StringType()),
        StructField("outcome", StringType(), nullable=False),
        StructField("exit_status", IntegerType(), nullable=False),
        StructField("host", StringType()),
        StructField("address", StringType()),
        StructField("version", StringType()),
        StructField("group", StringType()),
        StructField("verdict", StringType()),
        StructField("satisfied", BooleanType()),
        StructField("record", StringType(), nullable=False),
    ]
)


def scanner(program, options):
    """Gives the function that scans one partition: lines in, rows out."""

    def scan(lines):
        child = subprocess.Popen(
            [program, "scan", "--unordered", *options, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        failures = []

        def feed():
            try:
                with child.stdin:
                    for line in lines:
                        child.stdin.write(line + "\n")
            except BrokenPipeError:
                pass  # Its exit status tells why.
            except BaseException as failure:
                failures.append(failure)

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            for line in child.stdout:
                yield row(line.rstrip("\n"))
            feeder.join()
            status = child.wait()
        finally:
            child.kill()
        if failures:
            raise failures[0]
        # 2: every destination has its record, but some lines are no destinations. After anything
        # else Spark runs the task again: nothing of this attempt is kept.
        if status not in (0, 2):
            raise RuntimeError(f"tlsfinger scan: exit status {status}")

    return scan


def row(line):
    """Makes a row of a record, about the session with the worst exit status."""
    record = json.loads(line)
    session = max(record["sessions"], key=lambda it: it["exit_status"], default={})
    peer, tls, verdict = (session.get(part) or {} for part in ("peer", "tls", "verdict"))
    identity = record["input"]["id"]
    return (
        record["destination"]["text"],
        identity if identity is None or isinstance(identity, str) else json.dumps(identity),
        record["began"],
        record["outcome"],
        record["exit_status"],
        peer.get("host"),
        peer.get("address"),
        tls.get("version"),
        tls.get("group"),
        verdict.get("status"),
        verdict.get("satisfied"),
        line,
    )


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, options = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("list")
    parser.add_argument("out")
    asked = parser.parse_args(arguments)
    program = os.environ.get("TLSFINGER", "tlsfinger")
    spark = SparkSession.builder.appName("tlsfinger scan").getOrCreate()
    context = spark.sparkContext
    tasks = asked.tasks or context.defaultParallelism
    # Equal lines come to the same task, which does them once.
    lines = context.textFile(asked.list).map(lambda line: (line, None))
    lines = lines.partitionBy(tasks, hash_of).keys()
    rows = lines.mapPartitions(scanner(program, options))
    spark.createDataFrame(rows, SCHEMA).write.mode("overwrite").parquet(asked.out)
    spark.stop()


def hash_of(line):
    """Makes a number of a line that is the same in every process."""
    return int.from_bytes(hashlib.sha256(line.encode()).digest()[:4], "big")


if __name__ == "__main__":
    main()
