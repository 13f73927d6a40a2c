"""What a VM, a volume or something else is charged for at an instant.

Source: DESIGN §4 "Choosing the price" (coverage, running and allocated time) and "Packages,
services, exemptions"; docs/price-book.md `[[service]]` and `[[package]]`, `percent`, `basis`.
"""

from dataclasses import dataclass, field

from basics import METERS, VM_TIMES

# a VM can do without a price for these
OPTIONAL = ("vm", "os")


@dataclass
class Charge:
    kind: str
    name: str
    price: dict | None
    reason: str | None  # why it costs nothing
    of: int | None = None  # the charge before it that it is a percentage of
    touched: set = field(default_factory=set)


@dataclass
class Resource:
    """What selectors look at."""

    record: dict
    name: str | None
    tags: list


class Things:
    def __init__(self, book, record, name, position, tags, at):
        self.book, self.record, self.position, self.at = book, record, position, at
        self.resource = Resource(record, name, tags[0])
        self.own_tags, self.vm_tags, _ = tags
        self.time = VM_TIMES.get(record["usagetype"])
        # those that give packages and services
        given = self.own_tags if self.time else self.vm_tags
        self.packages = [row for row in book.rows.get("package", []) if has(given, "Package", row["id"])]
        self.single = {row["id"] for row in book.rows.get("service", []) if has(given, "Service", row["id"])}
        self.found = []

    def price(self, kind, name):
        time = self.time if name in OPTIONAL else None
        return self.book.price(kind, name, self.resource, self.position, self.at, time)

    def charges(self):
        """Coverage first, then exemptions, then prices."""
        if self.time:
            covering = self.book.price("meter", "vm", self.resource, self.position, self.at, None)
            for meter in ("vm", "cpu", "ram", "os"):
                self.meter(meter, covering if meter != "vm" else None)
            self.whole_packages()
            self.services()
        else:
            self.meter(METERS[self.record["usagetype"]], None)
            if self.record["usagetype"] == 6:
                self.services()
        return self.found

    def is_other_time(self, kind, price):
        """Whether the VM's other time pays: meters follow the book, all else allocated time."""
        usual = self.book.rows["compute"] if kind == "meter" else "allocated"
        return self.time is not None and self.time != (price or {}).get("basis", usual)

    def meter(self, name, vm_price):
        price = self.price("meter", name)
        if self.is_other_time("meter", price) or (price is None and name in OPTIONAL):
            return
        reason = self.book.exemption(name, self.own_tags, self.vm_tags, self.at)
        touched = {"exemption"} if reason else set()
        if vm_price and name in vm_price.get("covers", ["cpu", "ram"]):
            reason, touched = "included in " + vm_price["id"], {"included in the price of a VM"}
        package = next((row for row in self.packages if name in row.get("covers", [])), None)
        if package:
            reason, touched = "included in " + package["id"], {"included in a package"}
        if price is None and reason is None:
            return  # a finding
        if price:
            touched |= {f"selected by {one}" for one in ("name", "resource_tag", "in_zone", "at_least") if one in price}
            if name in OPTIONAL:
                touched.add("price of VMs" if name == "vm" else "price of images")
            if price.get("basis", self.book.rows["compute"]) != self.book.rows["compute"]:
                touched.add("price of the other time")
        self.found.append(Charge("meter", name, price, reason, touched=touched))

    def is_one_thing(self, package):
        return self.book.has_price("package", package["id"], self.position, self.at)

    def whole_packages(self):
        for package in self.packages:
            price = self.price("package", package["id"])
            if price and not self.is_other_time("package", price):
                self.found.append(Charge("package", package["id"], price, None, touched={"package"}))

    def cells(self, package):
        periods = [row for row in package.get("service_periods", []) if self.book.valid(row, self.at)]
        return package.get("services", []) + [row["service"] for row in periods]

    def services(self):
        holding, sold = {}, set()
        for package in self.packages:
            for service in self.cells(package):
                holding[service] = min(holding.get(service, package["id"]), package["id"])
                if not self.is_one_thing(package):
                    sold.add(service)
        prices = {name: self.price("service", name) for name in sold | self.single}
        is_percent = {name: bool(price and "percent" in price) for name, price in prices.items()}
        for name in sorted(prices, key=lambda name: (is_percent[name], name)):
            package = holding.get(name) if name not in sold else None
            reason = "included in " + package if package else None
            touched = {"service of a package"} if name in sold else {"service"}
            touched |= {"service bought twice"} if name in holding and name in self.single else set()
            if is_percent[name]:
                self.percentage(name, prices[name], reason, touched)
            else:
                self.service(name, prices[name], reason, touched)

    def service(self, name, price, reason, touched):
        if price is None:
            # it only comes with a package
            if reason and self.time == "allocated":
                self.found.append(Charge("service", name, None, reason, touched=touched))
            return
        by_disk = price.get("unit") == "GiB disk"
        if by_disk == (self.time is not None) or self.is_other_time("service", price):
            return
        touched = touched | ({"service by disk"} if by_disk else set())
        self.found.append(Charge("service", name, price, reason, touched=touched))

    def percentage(self, name, price, reason, touched):
        wanted = price.get("percent_of")
        for number, charge in enumerate(list(self.found)):
            counts = charge.of is None and charge.price and charge.reason is None
            if counts and (not wanted or charge.name in wanted):
                percent = Charge("service", name, price, reason, of=number)
                percent.touched = touched | {"percentage of all" if not wanted else "percentage of some things"}
                self.found.append(percent)


def has(tags, key, value):
    """A tag may hold several values, or have the value in its key."""
    return any(
        (own == key and value in [part.strip() for part in text.split(",")]) or own == f"{key}:{value}"
        for own, text, *_ in tags
    )
