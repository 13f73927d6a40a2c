"""What a price book decides at an instant: price, exemption, factors, discounts.

Source: DESIGN §4 "Choosing the price" and "Discounts"; docs/price-book.md `[[price]]`,
`[[exemption]]`, `[[factor]]`, `[[discount]]`.
"""

from datetime import datetime, timezone
from fnmatch import fnmatchcase
from fractions import Fraction
from zoneinfo import ZoneInfo

from basics import GIB, half_away, half_even, millis
from things import has

# what holds where a book says nothing
EXEMPTIONS = [
    {"id": f"Billing:{value}", "tag": f"Billing={value}", "meters": [meter]}
    for meter, value in (("cpu", "noCPU"), ("ram", "noRAM"), ("disk", "noDisk"))
]
# where a record has what selectors ask for; all selectors from the narrowest
FIELDS = {"offering": "offeringid", "template": "templateid", "os_category": "oscategoryname", "in_zone": "zoneid"}
SELECTORS = ("offering", "template", "os_category", "name", "resource_tag", "in_zone")


def in_order(discounts):
    """Percentages before fixed amounts."""
    return sorted(discounts, key=lambda row: ("amount" in row, row["id"]))


# rows that may begin or end within a period
ROWS = (
    *("price", "os_image", "service", "package", "exemption"),
    *("discount", "factor", "minimum", "maximum", "credit", "tax"),
)


class Book:
    def __init__(self, rows, cloud):
        self.rows = rows
        self.cloud = cloud
        self.zone = ZoneInfo(rows["zone"])
        self.prices = rows["price"] + [row | {"meter": "os"} for row in rows.get("os_image", [])]
        for kind in ("service", "package"):
            own = [row for row in rows.get(kind, []) if {"amount", "tiers", "percent"} & set(row)]
            self.prices += [row | {kind: row["id"]} for row in own]

    def account(self, path):
        """Whose statement it is: the nearest domain that has one of its own, else the top-level."""
        own = [self.cloud.domain_named(name) for name in self.rows.get("own_statements", [])]
        top = path[-2] if len(path) > 1 else path[0]
        return next((domain for domain in path if domain in own), top)

    @property
    def minor(self):
        """How many of the smallest coin a unit of the currency is (ISO 4217)."""
        return {"JPY": 1, "KWD": 1000}.get(self.rows["currency"], 100)

    def rounded(self, value):
        return half_even(value) if self.rows.get("rounding") == "half-even" else half_away(value)

    def instants(self):
        """When a row begins or ends to hold."""
        rows = [row for kind in ROWS for row in self.rows.get(kind, [])]
        rows += [period for row in self.rows.get("package", []) for period in row.get("service_periods", [])]
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

    def valid_within(self, row, period):
        """Whether a row holds at some time of the period."""
        begin, until = row.get("from"), row.get("until")
        return (begin is None or millis(begin) < period[1]) and (until is None or millis(until) > period[0])

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

    def price(self, kind, name, resource, position, at, time):
        """The nearest and narrowest price of a thing, where asked of one time of a VM alone."""
        best = None
        for row in self.prices:
            near = self.nearness(row, position)
            if row.get(kind) != name or near is None or not self.valid(row, at):
                continue
            if time and row.get("basis", self.rows["compute"]) != time:
                continue
            reaches, least = self.reaches(row, resource.record)
            if not (reaches and self.selects(row, resource)):
                continue
            asked = [size in least for size in ("size", "ram", "cpus")]
            sizes = [least.get(size, 0) for size in ("cpus", "ram", "size")]
            rank = (near, *(selector in row for selector in SELECTORS), *asked, *sizes)
            if best is None or rank > best[0]:
                best = (rank, row)
        return best and best[1]

    def selects(self, row, resource):
        if any(field in row and row[field] != resource.record.get(name) for field, name in FIELDS.items()):
            return False
        if "name" in row and not (resource.name and fnmatchcase(resource.name, row["name"])):
            return False
        wanted = row.get("resource_tag")
        return wanted is None or tuple(wanted.split("=")) in [(key, value) for key, value, *_ in resource.tags]

    def has_price(self, kind, name, position, at):
        """Whether a price concerns the customer, for whatever resources it is."""
        rows = [row for row in self.prices if row.get(kind) == name and self.valid(row, at)]
        return any(self.nearness(row, position) is not None for row in rows)

    def names(self, row, kind, name):
        """Whether a row is for the thing: for all where it names none."""
        lists = [row[list] for list in ("meters", "services", "packages") if list in row]
        return not lists or name in row.get(kind + "s", [])

    def exemption(self, meter, own, of_vm, at):
        """The rule that switches the meter off, if its tag is there: of the resource or its VM."""
        tags = own if self.rows.get("vm_tags_on_volumes") == "own" else own + of_vm
        for row in self.rows.get("exemption", EXEMPTIONS):
            if meter in row["meters"] and self.valid(row, at) and has(tags, *row["tag"].split("=")):
                return row["id"]
        return None

    def tax(self, thing, position, at):
        """The nearest scope wins, within it the rate that names the thing."""
        best = None
        for row in self.rows.get("tax", []):
            near = self.nearness(row, position)
            general = not {"meters", "services", "packages"} & set(row)
            named = thing is not None and not general and self.names(row, *thing)
            if near is None or not self.valid(row, at) or not (named or general):
                continue
            if best is None or (near, named) > best[0]:
                best = ((near, named), row)
        return best and best[1]

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
            "ram": record.get("memory") if is_vm else None,
            "size": None if is_vm else record.get("size"),
        }
        units = {"cpus": 1, "ram": 1024, "size": GIB}
        least = {name: int(str(text).split()[0]) * units[name] for name, text in row.get("at_least", {}).items()}
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
