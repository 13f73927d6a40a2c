#!/usr/bin/env python3
"""A second opinion on bills: deliberately slow, written from the documents alone.

Reads a JSON list of cases (`book`, `pages`, `snapshots`, `period`) from the file named on the
command line and prints, for each case, its lines with exact net and printed amount. Knows
cpu, ram, disk, ip and traffic with scopes and offerings, validity, exemptions by tags (moments
as seen), factors (by group, with sizes), percent discounts (nearest scope), hard-linked prices, cost centres, calendar months,
placement in windows, and rounding by largest remainder within domain, holder, cost centre and
VM. Standard library only.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

METERS = {1: ["cpu", "ram"], 2: ["cpu", "ram"], 3: ["ip"], 4: ["traffic_sent"], 5: ["traffic_received"], 6: ["disk"]}
UNIT = {"cpu": 1, "ram": 1024, "disk": 2**30, "ip": 1, "traffic_sent": 2**30, "traffic_received": 2**30}
EXEMPT = {"cpu": "noCPU", "ram": "noRAM", "disk": "noDisk"}
HOUR = 3_600_000


def millis(text):
    """An instant as milliseconds since 1970."""
    text = text.replace("Z", "+00:00")
    if text[-5] in "+-" and text[-3] != ":":
        text = text[:-2] + ":" + text[-2:]
    delta = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return delta // timedelta(milliseconds=1)


def ratio(value):
    return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)


def half_away(value):
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def escaped(text, separator):
    return text.replace("\\", "\\\\").replace(separator, "\\" + separator)


def hamilton(total, parts):
    """Whole cents for parts in cents: floors, and what is left to the largest remainders."""
    shares = [part // 1 for part in parts]
    order = sorted(range(len(parts)), key=lambda index: (shares[index] - parts[index], index))
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares


def shared(total, lines, levels):
    """The cents of each line; groups share the total first, then the lines in each group."""
    if not levels:
        return dict(zip(lines, hamilton(total, [net for _, net in lines.values()])))
    groups = {}
    for key, (fields, net) in lines.items():
        groups.setdefault(fields[levels[0]], {})[key] = (fields, net)
    sums = [sum(net for _, net in group.values()) for group in groups.values()]
    cents = {}
    for group, share in zip(groups.values(), hamilton(total, sums)):
        cents |= shared(share, group, levels[1:])
    return cents


class Case:
    def __init__(self, case):
        self.book = case["book"]
        self.zone = ZoneInfo(self.book["zone"])
        self.start, self.end = (millis(text) for text in case["period"])
        self.syncs = sorted(((millis(s["at"]), s) for s in case["snapshots"]), key=lambda pair: pair[0])
        self.streams = {}
        for page in case["pages"]:
            for record in page["listusagerecordsresponse"]["usagerecord"]:
                self.add(record)
        windows = [window for stream in self.streams.values() for window in stream["windows"]]
        self.starts = {window[0] for window in windows}
        self.ends = {window[1] for window in windows}
        self.lines = {}

    def add(self, record):
        window = ("startdate", "enddate", "rawusage", "usage", "description", "tags")
        key = json.dumps({name: value for name, value in record.items() if name not in window}, sort_keys=True)
        start, end = millis(record["startdate"]), millis(record["enddate"])
        end += 1000 if end % 60_000 == 59_000 else 0
        raw = Fraction(record["rawusage"])
        used = int(raw) if record["usagetype"] in (4, 5) else half_away(raw * 3600) * 1000
        self.streams.setdefault(key, {"record": record, "windows": []})["windows"].append((start, end, used))

    # what the inventory knows

    def latest(self, kind, wanted):
        found = [item for _, sync in self.syncs for item in sync[kind] if item["id"] == wanted]
        return found[-1] if found else None

    def tags(self, kind, wanted):
        """Key, value, from, until: as successive syncs saw them."""
        spans, open_spans, first = [], {}, True
        for at, sync in self.syncs:
            item = next((item for item in sync[kind] if item["id"] == wanted), None)
            if item is None:
                continue
            created = item.get("created")
            since = millis(created) if created else -(2**60)
            now = {tag["key"]: tag["value"] for tag in item["tags"]}
            for key, (value, begun) in list(open_spans.items()):
                if now.get(key) != value:
                    spans.append((key, value, begun, at))
                    del open_spans[key]
            for key, value in now.items():
                open_spans.setdefault(key, (value, since if first else at))
            first = False
        return spans + [(key, value, begun, 2**60) for key, (value, begun) in open_spans.items()]

    def ancestry(self, domain):
        path = []
        while domain:
            path.append(domain)
            entry = self.latest("domains", domain)
            domain = entry and entry["parent"]
        return path

    def domain_named(self, name):
        for _, sync in self.syncs:
            for item in sync["domains"]:
                if name in (item["id"], item["path"]):
                    return item["id"]
        return None

    # where used time lies

    def place(self, stream, created):
        windows = sorted(stream["windows"])
        if stream["record"]["usagetype"] in (4, 5):
            return windows
        whole = [used == end - start for start, end, used in windows]

        def beside(index, step):
            start, end, _ = windows[index]
            other = index + step
            if 0 <= other < len(windows) and (windows[other][0] == end if step > 0 else windows[other][1] == start):
                return "whole" if whole[other] else "part"
            return "nothing" if (end in self.starts if step > 0 else start in self.ends) else "unknown"

        placed = []
        for index, (start, end, used) in enumerate(windows):
            before, after = beside(index, -1), beside(index, 1)
            if whole[index]:
                placed.append((start, end, used))
            elif before == "nothing" and after in ("whole", "part"):
                placed.append((end - used, end, used))
            elif before in ("whole", "part") and after == "nothing":
                placed.append((start, start + used, used))
            elif before == "whole" and after == "part" and beside(index + 1, 1) == "whole":
                placed.append((start, start + used, used))
            elif before == "part" and after == "whole" and beside(index - 1, -1) == "whole":
                placed.append((end - used, end, used))
            else:
                # a life begins at its creation and has no end here
                lived = end - max(start, created)
                fits = created > -(2**60) and 0 < lived and used <= lived + 1000
                placed.append((max(start, created) if fits else start, end, used))
        return placed

    # what is decided at an instant

    def valid(self, row, at):
        begin, until = row.get("from"), row.get("until")
        return (begin is None or millis(begin) <= at) and (until is None or at < millis(until))

    def nearness(self, row, position):
        scope = row.get("scope")
        if not scope:
            return (0, 0)
        ((kind, name),) = scope.items()
        if kind == "domain":
            name = self.domain_named(name)
            path = position["ancestry"]
            return (1, len(path) - path.index(name)) if name in path else None
        return ({"project": 2, "vm": 3, "volume": 4}[kind], 0) if position[kind] == name else None

    def price(self, meter, offering, position, at):
        best = None
        for row in self.book["price"]:
            near = self.nearness(row, position)
            wanted = row.get("offering")
            if row["meter"] != meter or near is None or not self.valid(row, at) or wanted not in (None, offering):
                continue
            rank = (near, wanted is not None)
            if best is None or rank > best[0]:
                best = (rank, row)
        return best and best[1]

    def discounts(self, meter, price, position, at):
        if price.get("scope"):
            return []  # hard-linked prices are left alone
        found = []
        for row in sorted(self.book["discount"], key=lambda row: row["id"]):
            near = self.nearness(row, position)
            if near is not None and self.valid(row, at) and meter in row.get("meters", [meter]):
                found.append((near, row))
        nearest = max((near for near, _ in found), default=None)
        return [row for near, row in found if near == nearest]

    def reaches(self, row, record):
        """Whether the record's resource has at least the sizes that the row asks for."""
        is_vm = record["usagetype"] in (1, 2)
        sizes = {
            "cpus": record.get("cpunumber") if is_vm else None,
            "size": None if is_vm else record.get("size"),
        }
        asked = row.get("at_least", {})
        least = {name: int(text.split()[0]) * 2**30 if name == "size" else text for name, text in asked.items()}
        return all(sizes[name] is not None and sizes[name] >= value for name, value in least.items()), least

    def factors(self, meter, price, record, position, at):
        """Of each group the nearest scope, then who asks for a size, then for the largest."""
        best = {}
        for row in self.book["factor"]:
            near = self.nearness(row, position)
            fits, least = self.reaches(row, record)
            net = price.get("scope") and not row.get("net_prices", bool(row.get("scope")))
            named = meter in row.get("meters", [meter])
            if near is None or net or not (fits and named and self.valid(row, at)):
                continue
            rank = (near, "cpus" in least, "size" in least, least.get("size", 0), least.get("cpus", 0))
            group = row.get("group", row["id"])
            if group not in best or rank > best[group][0]:
                best[group] = (rank, row)
        return [best[group][1] for group in sorted(best)]

    def month(self, at):
        local = datetime.fromtimestamp(at // 1000, timezone.utc).astimezone(self.zone)
        first = datetime(local.year, local.month, 1, tzinfo=self.zone)
        after = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=self.zone)
        return [int(time.timestamp()) * 1000 for time in (first, after)]

    def cuts(self, *tags):
        """Everything that might change anything; too many cuts do no harm."""
        cuts = {self.start, self.end}
        for row in self.book["price"] + self.book["discount"] + self.book["factor"]:
            cuts |= {millis(row[name]) for name in ("from", "until") if name in row}
        for spans in tags:
            cuts |= {time for span in spans for time in span[2:]}
        at = self.start
        while at < self.end:
            first, at = self.month(at)
            cuts |= {first, at}
        return sorted(cut for cut in cuts if self.start <= cut <= self.end)

    # rating

    def rate(self):
        for stream in self.streams.values():
            self.rate_stream(stream)
        return self.print_lines()

    def rate_stream(self, stream):
        record = stream["record"]
        kind = record["usagetype"]
        if kind in (1, 2) and (kind == 1) != (self.book["compute"] == "running"):
            return
        is_vm = kind in (1, 2)
        vm = record.get("virtualmachineid") if is_vm else None
        volume = record["usageid"] if kind == 6 else None
        own, created = [], -(2**60)
        entry = self.latest("vms", vm) if is_vm else self.latest("volumes", volume) if volume else None
        if entry:
            created = millis(entry["created"])
            own = self.tags("vms" if is_vm else "volumes", entry["id"])
        if volume and entry:
            vm = entry["vm"]
        of_vm = self.tags("vms", vm) if vm and not is_vm else []
        project = record.get("projectid")
        of_project = self.tags("projects", project) if project else []
        cuts = self.cuts(own, of_vm, of_project)
        path = self.ancestry(record["domainid"])
        for start, end, used in self.place(stream, created):
            for left, right in zip(cuts, cuts[1:]):
                left, right = max(left, start), min(right, end)
                if left >= right:
                    continue
                amount = used * (right - start) // (end - start) - used * (left - start) // (end - start)
                # attachments hold since the volume's creation
                at_vm = vm if is_vm or not volume or left >= created else None
                position = {"ancestry": path, "project": project, "vm": at_vm, "volume": volume}
                tags = [[span for span in spans if span[2] <= left < span[3]] for spans in (own, of_vm, of_project)]
                for meter in METERS[kind]:
                    self.charge(record, meter, position, tags, amount, left)

    def charge(self, record, meter, position, tags, amount, at):
        price = self.price(meter, record.get("offeringid"), position, at)
        exemption = None
        for key, value, *_ in tags[0] + tags[1]:
            name = EXEMPT.get(meter)
            values = [part.strip() for part in value.split(",")]
            if name and (key == f"Billing:{name}" or (key == "Billing" and name in values)):
                exemption = f"Billing:{name}"
        if price is None and exemption is None:
            return
        chain, factors, net = [], [], Fraction(0)
        if exemption is None:
            chain = self.discounts(meter, price, position, at)
            level = {"cpu": record.get("cpunumber"), "ram": record.get("memory"), "disk": record.get("size")}.get(meter, 1)
            first, after = self.month(at)
            length = {"hour": HOUR, "day": 24 * HOUR, "month": after - first, None: 1}[price.get("per")]
            net = Fraction(amount * level, UNIT[meter] * length) * Fraction(price["amount"])
            factors = self.factors(meter, price, record, position, at)
            for row in factors:
                net *= Fraction(row["factor"])
            for row in chain:
                net *= 1 - Fraction(row["percent"]) / 100
        centre = next((value for spans in tags for key, value, *_ in spans if key == "CostCenter"), "")
        path = position["ancestry"]
        account = path[-2] if len(path) > 1 else path[0]
        holder = f"project {record['projectid']}" if record.get("projectid") else f"account {record['accountid']}"
        fields = [
            account, path[0], holder, position["vm"] or "", record["usageid"], centre, f"meter {meter}",
            price["id"] if price else "", exemption or "", ",".join(escaped(row["id"], ",") for row in chain),
        ]
        if factors:  # with them the tax is named, though there is none
            fields += ["", ",".join(escaped(row["id"], ",") for row in factors)]
        key = "|".join(escaped(field, "|") for field in fields)
        lines = self.lines.setdefault(account, {})
        lines[key] = (fields, lines[key][1] + net if key in lines else net)

    def print_lines(self):
        """Each statement's total is rounded once, and shared by domain, holder, cost centre, VM, line."""
        printed = {}
        for lines in self.lines.values():
            lines = {key: (lines[key][0], lines[key][1] * 100) for key in sorted(lines, key=str.encode)}
            cents = shared(half_away(sum(net for _, net in lines.values())), lines, (1, 2, 5, 3))
            for key, (_, net) in lines.items():
                printed[key] = [ratio(net / 100), f"{cents[key] // 100}.{cents[key] % 100:02d}"]
        return printed


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps([Case(case).rate() for case in json.load(file)]))
