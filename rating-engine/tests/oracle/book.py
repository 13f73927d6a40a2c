"""What a price book decides at an instant: price, exemption, factors, discounts.

Source: DESIGN §4 "Choosing the price" and "Discounts"; docs/price-book.md `[[price]]`,
`[[exemption]]`, `[[factor]]`, `[[discount]]`.
"""

from datetime import datetime, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

from basics import GIB, millis

EXEMPT = {"cpu": "noCPU", "ram": "noRAM", "disk": "noDisk"}


def in_order(discounts):
    """Percentages before fixed amounts."""
    return sorted(discounts, key=lambda row: ("amount" in row, row["id"]))


# rows that may begin or end within a period
ROWS = ("price", "discount", "factor")


class Book:
    def __init__(self, rows, cloud):
        self.rows = rows
        self.cloud = cloud
        self.zone = ZoneInfo(rows["zone"])

    def instants(self):
        """When a row begins or ends to hold."""
        rows = [row for kind in ROWS for row in self.rows.get(kind, [])]
        return {millis(row[name]) for row in rows for name in ("from", "until") if name in row}

    def month(self, at):
        """The civil month of an instant, as half-open instants."""
        local = datetime.fromtimestamp(at // 1000, timezone.utc).astimezone(self.zone)
        first = datetime(local.year, local.month, 1, tzinfo=self.zone)
        after = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=self.zone)
        return tuple(int(time.timestamp()) * 1000 for time in (first, after))

    def valid(self, row, at):
        begin, until = row.get("from"), row.get("until")
        return (begin is None or millis(begin) <= at) and (until is None or at < millis(until))

    def nearness(self, row, position):
        """How near a row's scope is, larger is nearer; none where the row is for others."""
        scope = row.get("scope")
        if not scope:
            return (0, 0)
        ((kind, name),) = scope.items()
        if kind == "domain":
            name = self.cloud.domain_named(name)
            path = position["ancestry"]
            return (1, len(path) - path.index(name)) if name in path else None
        return ({"project": 2, "vm": 3, "volume": 4}[kind], 0) if position[kind] == name else None

    def price(self, kind, name, record, position, at):
        best = None
        for row in self.rows["price"]:
            near = self.nearness(row, position)
            wanted = row.get("offering")
            if row.get(kind) != name or near is None or not self.valid(row, at):
                continue
            if wanted not in (None, record.get("offeringid")):
                continue
            rank = (near, wanted is not None)
            if best is None or rank > best[0]:
                best = (rank, row)
        return best and best[1]

    def names(self, row, kind, name):
        """Whether a discount or factor is for the thing: for all where it names none."""
        return name in row.get(kind + "s", [name])

    def exemption(self, meter, tags):
        """The tag that switches the meter off, if one is there."""
        name = EXEMPT.get(meter)
        for key, value, *_ in tags:
            values = [part.strip() for part in value.split(",")]
            if name and (key == f"Billing:{name}" or (key == "Billing" and name in values)):
                return f"Billing:{name}"
        return None

    def discounts(self, thing, price, position, at):
        """Those that apply."""
        scopes = self.scopes_with_discounts(thing, price, position, at)
        if not scopes:
            return []
        stacking = self.rows.get("discount_stacking", "nearest")
        if stacking == "nearest":
            return in_order(scopes[max(scopes)])
        if stacking == "best-of":
            # the largest percentage alone, and the fixed amounts
            rows = in_order([row for rows in scopes.values() for row in rows])
            percents = [row for row in rows if "percent" in row]
            best = max(percents, key=lambda row: Fraction(row["percent"]), default=None)
            return [row for row in rows if row is best or "amount" in row]
        return in_order([row for rows in scopes.values() for row in rows])

    def scopes_with_discounts(self, thing, price, position, at):
        net = self.is_net(price)
        scopes = {}
        for row in self.rows["discount"]:
            near = self.nearness(row, position)
            # hard-linked prices are left alone unless a discount says otherwise
            touches = not net or row.get("net_prices", False)
            if near is not None and touches and self.valid(row, at) and self.names(row, *thing):
                scopes.setdefault(near, []).append(row)
        return scopes

    def is_net(self, price):
        return price.get("net", bool(price.get("scope")))

    def rules(self, thing, price, chain, position, at):
        """Which rules decided about this piece, for the test to count."""
        rules = {"hard-linked price"} if price.get("scope") else set()
        if chain and self.is_net(price):
            rules.add("discount on a hard-linked price")
        if len(self.scopes_with_discounts(thing, price, position, at)) > 1:
            rules.add(self.rows.get("discount_stacking", "nearest"))
        return rules

    def kept(self, chain):
        """The share of an amount that the percentages of a chain leave."""
        percents = [Fraction(row["percent"]) / 100 for row in chain if "percent" in row]
        if self.rows.get("discount_stacking") == "add-capped":
            return 1 - min(Fraction(1), sum(percents))
        share = Fraction(1)
        for percent in percents:
            share *= 1 - percent
        return share

    def reaches(self, row, record):
        """Whether the record's resource has at least the sizes that the row asks for."""
        is_vm = record["usagetype"] in (1, 2)
        sizes = {
            "cpus": record.get("cpunumber") if is_vm else None,
            "size": None if is_vm else record.get("size"),
        }
        asked = row.get("at_least", {})
        least = {name: int(text.split()[0]) * GIB if name == "size" else text for name, text in asked.items()}
        return all(sizes[name] is not None and sizes[name] >= value for name, value in least.items()), least

    def factors(self, thing, price, record, position, at):
        """Of each group the nearest scope, then who asks for a size, then for the largest."""
        best = {}
        for row in self.rows["factor"]:
            near = self.nearness(row, position)
            fits, least = self.reaches(row, record)
            left_alone = self.is_net(price) and not row.get("net_prices", bool(row.get("scope")))
            named = self.names(row, *thing)
            if near is None or left_alone or not (fits and named and self.valid(row, at)):
                continue
            rank = (near, "cpus" in least, "size" in least, least.get("size", 0), least.get("cpus", 0))
            group = row.get("group", row["id"])
            if group not in best or rank > best[group][0]:
                best[group] = (rank, row)
        return [best[group][1] for group in sorted(best)]
