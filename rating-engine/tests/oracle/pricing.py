"""What quantities cost: per unit, flat, or by what else was used; times the factors.

Source: DESIGN §4 "Numbers" (an exact amount is quantity × price / (unit × period length)) and
"Choosing the price"; docs/price-book.md `[[price]]`, `[[factor]]`.
"""

from fractions import Fraction

import pools


def price(pieces, book):
    charged = [piece for piece in pieces if piece.reason is None]
    lasting = [piece for piece in charged if piece.of is None]
    for piece in lasting:
        piece.quantity = piece.units * piece.share
        piece.cost = piece.quantity * Fraction(piece.price.get("amount", 0))
    in_pools(lasting, book)
    # what they cost, before discounts, is the quantity of the percentages of it
    percentages = [piece for piece in charged if piece.of is not None]
    for piece in percentages:
        piece.quantity = piece.of.cost
    in_pools(percentages, book)


def in_pools(pieces, book):
    for pool in pools.of(pieces, book):
        if pool[0].price.get("count_over") == "moment":
            pools.by_moment(pool)
        else:
            pools.by_month(pool)
        fees(pool)
    for piece in pieces:
        for row in piece.factors:
            piece.touched.add("factor")
            piece.cost *= Fraction(row["factor"])


def fees(pool):
    """A percentage may have a fee for each VM, once a month, which some are spared."""
    had = set()
    for piece in pool:
        whose = piece.position["vm"] or piece.record["usageid"]
        if "percent" not in piece.price or whose in had:
            continue
        had.add(whose)
        if len(had) <= piece.price.get("free_fees", 0):
            piece.touched.add("fee that some are spared")
        elif "fee" in piece.price:
            piece.touched.add("fee of a percentage")
            piece.cost += Fraction(piece.price["fee"])
