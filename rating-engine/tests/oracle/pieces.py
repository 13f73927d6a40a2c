"""Used time cut at every change, and what is decided about each piece.

Source: DESIGN §4 "Time", a record is cut into segments; "Packages, services, exemptions",
exemptions and cost centres.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from basics import COUNTED, EVER, SERVICE_UNITS, UNITS, VM_TIMES, millis
from things import Things


@dataclass
class Piece:
    """A part of one record's use in which nothing changes, and one thing that it is charged for."""

    record: dict
    kind: str  # meter, service or package
    name: str
    position: dict
    centre: str
    price: dict | None
    reason: str | None  # why it costs nothing
    tax: dict | None
    of: "Piece | None" = None  # what it is a percentage of
    chain: list = field(default_factory=list)  # discounts
    factors: list = field(default_factory=list)
    span: tuple = (0, 0)  # the use that it was cut from
    span_used: int = 0
    begin: int = 0
    end: int = 0
    used: int = 0  # milliseconds, or what was counted
    month: tuple = (0, 0)
    born: int | None = None  # when the resource was created
    share: Fraction = Fraction(0)  # time in the price's period
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    touched: set = field(default_factory=set)  # rules that decided something here

    @property
    def counted(self):
        return self.record["usagetype"] in COUNTED

    @property
    def lasts(self):
        """Whether it is charged by time."""
        return self.price is not None and self.price.get("per", "once") != "once"

    @property
    def priced_thing(self):
        """What the resource has one price for: of a VM and its image each of its times may have one."""
        time = VM_TIMES.get(self.record["usagetype"]) if self.name in ("vm", "os") else None
        return (self.record["usageid"], self.kind, self.name, time)

    @property
    def units(self):
        """How many units of its price there are, without time; of what is counted, altogether."""
        if self.price.get("kind") == "flat":
            return Fraction(1)
        if self.kind != "meter":
            size, unit = SERVICE_UNITS[self.price.get("unit", "VM")]
            return Fraction(self.record[size], unit) if size else Fraction(1)
        unit = UNITS[self.name]
        unit = unit[self.price.get("unit", next(iter(unit)))]
        if unit is None:
            return Fraction(1)
        names = {"cpu": "cpunumber", "os": "cpunumber", "ram": "memory", "disk": "size"}
        level = self.used if self.counted else self.record[names[self.name]]
        return Fraction(level, unit)


class Cutter:
    def __init__(self, book, cloud, usage, period):
        self.book, self.cloud, self.usage = book, cloud, usage
        self.start, self.end = period

    def pieces(self):
        return [piece for stream in self.usage.streams.values() for piece in self.of_stream(stream)]

    def cuts(self, created, *tags):
        """Everything that might change anything; too many cuts do no harm."""
        cuts = {self.start, self.end, created} | self.book.instants()
        for spans in tags:
            cuts |= {time for span in spans for time in span[2:]}
        at = self.start
        while at < self.end:
            first, at = self.book.month(at)
            cuts |= {first, at}
        return sorted(cut for cut in cuts if self.start <= cut <= self.end)

    def of_stream(self, stream):
        record = stream["record"]
        is_vm = record["usagetype"] in VM_TIMES
        vm = record.get("virtualmachineid") if is_vm else None
        volume = record["usageid"] if record["usagetype"] == 6 else None
        own, created = [], -EVER
        entry = self.cloud.latest("vms", vm) if is_vm else self.cloud.latest("volumes", volume) if volume else None
        if entry:
            created = millis(entry["created"])
            own = self.cloud.tags("vms" if is_vm else "volumes", entry["id"])
        if volume and entry:
            vm = entry["vm"]
        of_vm = self.cloud.tags("vms", vm) if vm and not is_vm else []
        project = record.get("projectid")
        of_project = self.cloud.tags("projects", project) if project else []
        cuts = self.cuts(created, own, of_vm, of_project)
        path = self.cloud.ancestry(record["domainid"])
        for start, end, used in self.usage.place(stream, created):
            for left, right in zip(cuts, cuts[1:]):
                left, right = max(left, start), min(right, end)
                if left >= right:
                    continue
                amount = used * (right - start) // (end - start) - used * (left - start) // (end - start)
                # attachments hold since the volume's creation
                at_vm = vm if is_vm or not volume or left >= created else None
                position = {"ancestry": path, "project": project, "vm": at_vm, "volume": volume}
                holding = (own, of_vm if at_vm else [], of_project)
                tags = [[span for span in spans if span[2] <= left < span[3]] for spans in holding]
                name = entry and entry["name"]
                for piece in self.decide(record, name, position, tags, left):
                    piece.span, piece.span_used = (start, end), used
                    piece.begin, piece.end, piece.used = left, right, amount
                    piece.born = created if entry else None
                    piece.touched |= {rule for rule, spans in stream["noted"].items() if (start, end) in spans}
                    yield piece

    def decide(self, record, name, position, tags, at):
        """The pieces of an instant: for each thing price, exemption, factors and discounts."""
        centre = next((value for spans in tags for key, value, *_ in spans if key == "CostCenter"), "")
        month = self.book.month(at)
        pieces = []
        for charge in Things(self.book, record, name, position, tags, at).charges():
            thing = (charge.kind, charge.name)
            tax = self.book.tax(thing, position, at)
            piece = Piece(record, *thing, position, centre, charge.price, charge.reason, tax, month=month)
            piece.touched |= charge.touched
            if charge.reason is None:
                piece.chain = self.book.discounts(thing, charge.price, position, at)
                piece.factors = self.book.factors(thing, charge.price, record, position, at)
                piece.touched |= self.book.rules(thing, charge.price, piece.chain, position, at)
            if charge.of is not None:
                piece.of = pieces[charge.of]
            if tax:
                piece.touched.add("tax of some things" if {"meters", "services", "packages"} & set(tax) else "tax")
            pieces.append(piece)
        return pieces
