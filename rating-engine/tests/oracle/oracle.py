#!/usr/bin/env python3
"""A second opinion on bills: deliberately slow, written from the documents alone.

Reads a JSON list of cases (`book`, `pages`, `snapshots`, `period`) from the file named on the
command line and prints, for each case, its lines with exact net and printed amount. Standard
library only. Each module names the section of the documents that it was written from; the order
of `rate` is "the order of everything" of docs/price-book.md.
"""

import json
import sys

import counting
import discounts
import pricing
from basics import millis
from book import Book
from cloud import Cloud
from pieces import Cutter
from printing import print_lines
from usage import Usage


def rate(case):
    cloud = Cloud(case["snapshots"])
    book = Book(case["book"], cloud)
    period = [millis(text) for text in case["period"]]
    pieces = Cutter(book, cloud, Usage(case["pages"]), period).pieces()
    pieces = counting.count(pieces, book, period)
    pricing.price(pieces, book)
    discounts.percentages(pieces, book)
    discounts.fixed(pieces, book, period)
    return print_lines(pieces)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps([rate(case) for case in json.load(file)]))
