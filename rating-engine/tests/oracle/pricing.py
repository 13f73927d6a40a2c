"""What quantities cost: per unit, flat, or by what else was used; times the factors.

Source: DESIGN §4 "Numbers" (an exact amount is quantity × price / (unit × period length)) and
"Choosing the price"; docs/price-book.md `[[price]]`, `[[factor]]`.
"""

from fractions import Fraction

import pools


def price(pieces, book):
    charged = [piece for piece in pieces if piece.reason is None]
    for piece in charged:
        piece.quantity = piece.units * piece.share
        piece.cost = piece.quantity * Fraction(piece.price.get("amount", 0))
    for pool in pools.of(charged, book):
        if pool[0].price.get("count_over") == "moment":
            pools.by_moment(pool)
        else:
            pools.by_month(pool)
    for piece in charged:
        for row in piece.factors:
            piece.touched.add("factor")
            piece.cost *= Fraction(row["factor"])
