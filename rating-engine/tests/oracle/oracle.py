#!/usr/bin/env python3
"""A second opinion on bills: deliberately slow, written from the documents alone.

Reads a JSON list of cases (`book`, `pages`, `snapshots`, `period`) from the file named on the
command line and prints, for each case, its statements: lines with exact net and printed amount,
taxes, credits, and what is payable. Standard library only. Each module names the section of the
documents that it was written from; the order of `rate` is "the order of everything" of
docs/price-book.md.
"""

import json
import sys
from collections import Counter

import counting
import discounts
import limits
import pricing
import printing
import settling
from basics import millis
from book import Book
from cloud import Cloud
from pieces import Cutter
from usage import Usage


def rate(case):
    cloud = Cloud(case["snapshots"])
    book = Book(case["book"], cloud)
    period = [millis(text) for text in case["period"]]
    pieces = Cutter(book, cloud, Usage(case["pages"], case["book"].get("findings", {})), period).pieces()
    pieces = counting.count(pieces, book, period)
    pricing.price(pieces, book)
    discounts.percentages(pieces, book)
    discounts.fixed(pieces, book, period)
    limits.maximums(pieces, book)
    lines = printing.statements(pieces, limits.minimums(pieces, book, period), book)
    statements = settling.settle(lines, book, period)
    return {"statements": statements, "touched": touched(lines, statements)}


def touched(lines, statements):
    """Of each rule how many lines it changed, or statements."""
    counts = Counter(rule for of_account in lines.values() for line in of_account.values() for rule in line.touched)
    for statement in statements.values():
        counts.update(statement.pop("touched"))
    return counts


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps([rate(case) for case in json.load(file)]))
