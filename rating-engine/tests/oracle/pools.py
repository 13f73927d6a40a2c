"""Prices by what a resource, project, domain or account uses in a month.

Source: docs/price-book.md `[[price]]`, `accumulate` and `count_over`; DESIGN §4 "Choosing the
price": tiers and allowances accumulate over the billing period in a declared scope, in time
order. Prices that follow each other in time for the same thing and customer share one pool.
"""

import json
from fractions import Fraction

import tiers
from basics import millis
from book import SELECTORS


def of(pieces, book):
    """Lists of the pieces that count together, in order of time."""
    pools = {}
    for piece in pieces:
        flat_of_counted = piece.counted and piece.price.get("kind") == "flat"
        if {"free", "tiers", "block", "percent"} & set(piece.price) or flat_of_counted:
            pools.setdefault(pool_key(piece, book), []).append(piece)
    return [sorted(pool, key=order) for pool in pools.values()]


def pool_key(piece, book):
    price, record = piece.price, piece.record
    path = piece.position["ancestry"]
    who = {
        # a percentage is of a VM with its volumes
        "resource": (piece.of and piece.position["vm"]) or record["usageid"],
        "project": record.get("projectid") or record.get("accountid"),
        "domain": path[0],
        "account": book.account(path),
    }[price.get("accumulate", "resource")]
    scope = dict(price.get("scope", {}))
    if "domain" in scope:
        scope["domain"] = book.cloud.domain_named(scope["domain"])
    alike = (*SELECTORS, "at_least", "basis", "per", "unit", "accumulate", "count_over")
    terms = [price.get(name) for name in alike]
    return json.dumps([piece.kind, piece.name, scope, terms, who, piece.month])


def order(piece):
    """By the use that a piece was cut from, since other cuts must not pass units on to another:
    what begins first, of these what ends first, then by the resource, a VM's running time first."""
    begun = piece.price.get("from")
    start = max(piece.span[0], millis(begun)) if begun else piece.span[0]
    return (start, piece.span[1], piece.record["usageid"], piece.record["usagetype"], piece.begin)


def by_month(pool):
    """Each piece costs what it adds, at its own price, to what was used before it."""
    before, most = Fraction(0), None
    total = sum(piece.quantity for piece in pool)
    for piece in pool:
        price, after = piece.price, before + piece.quantity
        if price.get("kind") == "flat":
            piece.cost = Fraction(price["amount"]) if piece is pool[0] else Fraction(0)
            piece.touched.add("flat price of what is counted")
            continue
        piece.cost = tiers.of_units(price, after, total) - tiers.of_units(price, before, total)
        if "tiers" in price:
            if price.get("tier_mode") == "volume":
                # the flat amount of the one tier is shared by the units
                flat = Fraction(tiers.tier_of(price, tiers.paid(price, total)).get("flat", 0))
                paid = tiers.paid(price, total)
                if paid:
                    piece.cost += flat * (tiers.paid(price, after) - tiers.paid(price, before)) / paid
                elif piece is pool[0]:
                    piece.cost += flat
            else:
                piece.cost += tiers.flats(price, after, most)
        note(piece, before, after, total)
        before = most = after


def note(piece, before, after, total):
    """For the test to count."""
    price = piece.price
    if tiers.paid(price, after) - tiers.paid(price, before) < after - before:
        piece.touched.add("free units")
    if "block" in price:
        piece.touched.add("blocks")
    if "tiers" in price and price.get("tier_mode") == "volume":
        piece.touched.add("volume tiers" if tiers.reached(price, total) > 1 else "volume tiers, the first")
    elif "tiers" in price:
        piece.touched.add("graduated tiers" if tiers.reached(price, after) > 1 else "graduated tiers, the first")
    piece.touched.add("accumulated by " + price.get("accumulate", "resource"))


def by_moment(pool):
    """What stands in a row at each moment, in the order in which it came."""
    came = arrivals(pool)
    times = sorted({time for piece in pool for time in (piece.begin, piece.end)})
    most = None
    for piece in pool:
        piece.cost = Fraction(0)
    for left, right in zip(times, times[1:]):
        there = [piece for piece in pool if piece.begin <= left < piece.end]
        there.sort(key=lambda piece: (came[id(piece)], piece.record["usageid"]))
        position = Fraction(0)
        # units at a moment: used time in the price's period, over the piece's own time
        counts = [units_at_a_moment(piece) for piece in there]
        total = sum(counts)
        for piece, count in zip(there, counts):
            after = position + count
            if piece.used:
                cost = tiers.of_units(piece.price, after, total) - tiers.of_units(piece.price, position, total)
                piece.cost += cost / count * piece.quantity * Fraction(used_within(piece, left, right), piece.used)
            if "tiers" in piece.price:
                piece.cost += tiers.flats(piece.price, after, most)
            most = after if most is None else max(most, after)
            if position or tiers.paid(piece.price, after) < after:
                piece.touched.add("count over moment")
            position = after


def units_at_a_moment(piece):
    """Use that nothing places within its time counts evenly over it."""
    begin, end = piece.span
    return piece.units * Fraction(piece.span_used, end - begin)


def used_within(piece, left, right):
    """Split as records are: whole milliseconds, cumulatively from the beginning of the use."""
    begin, end = piece.span
    before = [piece.span_used * (at - begin) // (end - begin) for at in (left, right)]
    return before[1] - before[0]


def arrivals(pool):
    """When each resource came that is there without a break."""
    came, last = {}, {}
    for piece in sorted(pool, key=lambda piece: piece.begin):
        resource = piece.record["usageid"]
        begin, end = last.get(resource, (piece.begin, piece.begin))
        begin = begin if end >= piece.begin else piece.begin
        last[resource] = (begin, max(end, piece.end))
        came[id(piece)] = begin
    return came
