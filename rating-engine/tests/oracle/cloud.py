"""What successive syncs saw: owners, attachments, domains, and tags by time.

Source: DESIGN §4 "Time", lifetime and moment of a tag change (`seen`).
"""

from basics import EVER, millis


class Cloud:
    def __init__(self, snapshots):
        self.syncs = sorted(((millis(sync["at"]), sync) for sync in snapshots), key=lambda pair: pair[0])

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
            since = millis(created) if created else -EVER
            now = {tag["key"]: tag["value"] for tag in item["tags"]}
            for key, (value, begun) in list(open_spans.items()):
                if now.get(key) != value:
                    spans.append((key, value, begun, at))
                    del open_spans[key]
            for key, value in now.items():
                open_spans.setdefault(key, (value, since if first else at))
            first = False
        return spans + [(key, value, begun, EVER) for key, (value, begun) in open_spans.items()]

    def ancestry(self, domain):
        """The domain, its parent, and so on to the root."""
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
