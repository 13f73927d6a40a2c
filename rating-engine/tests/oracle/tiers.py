"""What a number of units costs by a price's free units, tiers and blocks.

Source: docs/price-book.md `[[price]]`, `free`, `tiers`, `tier_mode`, `block`; DESIGN §4 "Choosing
the price" (upper bounds inclusive, fractions never fall between tiers).
"""

from fractions import Fraction
from math import ceil


def paid(price, quantity):
    """Units beyond the free ones."""
    return max(Fraction(0), quantity - Fraction(price.get("free", 0)))


def bounds(price):
    """Each tier with its lower and upper bound."""
    lower = Fraction(0)
    for tier in price["tiers"]:
        upper = Fraction(tier["up_to"]) if "up_to" in tier else None
        yield tier, lower, upper
        lower = upper


def tier_of(price, total):
    """The tier in which a total falls."""
    return next(tier for tier, _, upper in bounds(price) if upper is None or total <= upper)


def of_units(price, quantity, total):
    """The first `quantity` units of `total`, both with the free ones, without flat amounts."""
    quantity, total = paid(price, quantity), paid(price, total)
    if "block" in price:
        return ceil(quantity / Fraction(price["block"])) * Fraction(price["amount"])
    if "percent" in price:
        return quantity * Fraction(price["percent"]) / 100
    if "tiers" not in price:
        return quantity * Fraction(price["amount"])
    if price.get("tier_mode") == "volume":
        return quantity * Fraction(tier_of(price, total).get("amount", 0))
    cost = Fraction(0)
    for tier, lower, upper in bounds(price):
        within = (quantity if upper is None else min(quantity, upper)) - lower
        cost += max(Fraction(0), within) * Fraction(tier.get("amount", 0))
    return cost


def reached(price, quantity):
    """How many tiers so many units reach; the first as soon as something is there."""
    return sum(1 for number, (_, lower, _) in enumerate(bounds(price)) if number == 0 or paid(price, quantity) > lower)


def flats(price, quantity, before):
    """Flat amounts of the tiers that so many units reach and `before`, if there were any, did not."""
    had = 0 if before is None else reached(price, before)
    return sum(Fraction(tier.get("flat", 0)) for tier in price["tiers"][had : reached(price, quantity)])
