-- Instants are INTEGER milliseconds since 1970-01-01T00:00:00Z. Periods are half-open.
-- Amounts are TEXT, as sent: a float would lose digits.

CREATE TABLE csb_cloud (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    watermark      INTEGER,                    -- end of the newest window of the last complete fetch
    longest_window INTEGER NOT NULL DEFAULT 0  -- ms; bounds the search for windows that reach into a period
) STRICT;

CREATE TABLE csb_sync (
    id    INTEGER PRIMARY KEY,
    cloud INTEGER NOT NULL REFERENCES csb_cloud (id),
    at    INTEGER NOT NULL,
    entry TEXT    NOT NULL CHECK (json_valid(entry))  -- counts, notices, range, watermark
) STRICT;
CREATE INDEX csb_sync_cloud ON csb_sync (cloud, id);

-- One row for each record of the multiset of a record key. A revision closes the rows of
-- the key (recorded_until) and adds new ones; nothing is updated otherwise or deleted.
CREATE TABLE csb_usage (
    id             INTEGER PRIMARY KEY,
    cloud          INTEGER NOT NULL REFERENCES csb_cloud (id),
    record_key     BLOB    NOT NULL CHECK (length(record_key) = 16),
    revision       INTEGER NOT NULL,           -- number of the multiset of the key, from 0
    copy           INTEGER NOT NULL,           -- number among the twins of the revision, from 0
    recorded_from  INTEGER NOT NULL,
    recorded_until INTEGER,                    -- NULL while it stands
    usage_type     INTEGER NOT NULL,
    window_start   INTEGER NOT NULL,
    window_end     INTEGER NOT NULL CHECK (window_end > window_start),
    raw_usage      TEXT    NOT NULL,
    resource       TEXT,
    vm             TEXT,
    domain         TEXT    NOT NULL,
    account        TEXT,
    project        TEXT,
    record         TEXT    NOT NULL,           -- the whole record, JSON of the library
    sent           TEXT    NOT NULL            -- the whole record, JSON as CloudStack sent it
) STRICT;
CREATE UNIQUE INDEX csb_usage_key ON csb_usage (cloud, record_key, revision, copy);
CREATE INDEX csb_usage_window ON csb_usage (cloud, window_start, window_end, record_key, revision, copy);
CREATE INDEX csb_usage_domain ON csb_usage (cloud, domain, window_start);
CREATE INDEX csb_usage_project ON csb_usage (cloud, project, window_start) WHERE project IS NOT NULL;
CREATE INDEX csb_usage_vm ON csb_usage (cloud, vm, window_start) WHERE vm IS NOT NULL;
CREATE INDEX csb_usage_resource ON csb_usage (cloud, resource, window_start) WHERE resource IS NOT NULL;

-- One row for each snapshot of the metadata.
CREATE TABLE csb_snapshot (
    id       INTEGER PRIMARY KEY,
    cloud    INTEGER NOT NULL REFERENCES csb_cloud (id),
    at       INTEGER NOT NULL,
    complete TEXT    NOT NULL CHECK (json_valid(complete))  -- kinds listed completely
) STRICT;
CREATE INDEX csb_snapshot_cloud ON csb_snapshot (cloud, id);

-- One row for each run of snapshots that had an entry (VM, volume, tag, tag event, …) in
-- one form: from first_snapshot on, up to the one before until_snapshot.
CREATE TABLE csb_entity (
    id             INTEGER PRIMARY KEY,
    cloud          INTEGER NOT NULL REFERENCES csb_cloud (id),
    kind           TEXT    NOT NULL,
    resource       TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    fingerprint    BLOB    NOT NULL CHECK (length(fingerprint) = 16),
    copy           INTEGER NOT NULL,           -- number among identical entries of one snapshot, from 0
    first_snapshot INTEGER NOT NULL REFERENCES csb_snapshot (id),
    until_snapshot INTEGER REFERENCES csb_snapshot (id),
    entry          TEXT    NOT NULL            -- JSON of the library
) STRICT;
CREATE UNIQUE INDEX csb_entity_standing ON csb_entity (cloud, fingerprint, copy) WHERE until_snapshot IS NULL;
CREATE INDEX csb_entity_first ON csb_entity (cloud, first_snapshot, id);
CREATE INDEX csb_entity_until ON csb_entity (cloud, until_snapshot, id) WHERE until_snapshot IS NOT NULL;
CREATE INDEX csb_entity_resource ON csb_entity (cloud, kind, resource);

-- Entries that could not be read.
CREATE TABLE csb_rejection (
    id           INTEGER PRIMARY KEY,
    cloud        INTEGER NOT NULL REFERENCES csb_cloud (id),
    fingerprint  BLOB    NOT NULL CHECK (length(fingerprint) = 16),
    period_start INTEGER NOT NULL,
    period_end   INTEGER NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    resolved     INTEGER,                      -- the sync whose fetch of that time did not have it any more
    rejection    TEXT    NOT NULL CHECK (json_valid(rejection))
) STRICT;
CREATE UNIQUE INDEX csb_rejection_standing ON csb_rejection (cloud, fingerprint) WHERE resolved IS NULL;

-- Labels: tags of our own. What gives way is closed (recorded_until), never changed.
CREATE TABLE csb_label (
    id             INTEGER PRIMARY KEY,
    cloud          INTEGER NOT NULL REFERENCES csb_cloud (id),
    resource_type  TEXT    NOT NULL,
    resource       TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    value          TEXT    NOT NULL,
    valid_from     INTEGER NOT NULL,
    valid_until    INTEGER NOT NULL CHECK (valid_until > valid_from),
    author         TEXT    NOT NULL,
    recorded_from  INTEGER NOT NULL,
    recorded_until INTEGER,
    withdrawn_by   TEXT
) STRICT;
CREATE INDEX csb_label_target ON csb_label (cloud, resource_type, resource, key);

-- For people and portals: what is known now, with times that can be read.
CREATE VIEW csb_usage_now AS
SELECT c.name AS cloud, u.usage_type,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.window_start / 1000.0, 'unixepoch') AS window_start,
       strftime('%Y-%m-%dT%H:%M:%fZ', u.window_end / 1000.0, 'unixepoch') AS window_end,
       u.raw_usage, u.resource, u.vm, u.domain, u.account, u.project, u.record, u.sent
FROM csb_usage u JOIN csb_cloud c ON c.id = u.cloud
WHERE u.recorded_until IS NULL;

CREATE VIEW csb_entity_seen AS
SELECT c.name AS cloud, e.kind, e.resource, e.name,
       strftime('%Y-%m-%dT%H:%M:%fZ', first.at / 1000.0, 'unixepoch') AS first_seen,
       strftime('%Y-%m-%dT%H:%M:%fZ', last.at / 1000.0, 'unixepoch') AS last_seen,
       e.until_snapshot IS NULL AS is_there, e.entry
FROM csb_entity e
JOIN csb_cloud c ON c.id = e.cloud
JOIN csb_snapshot first ON first.id = e.first_snapshot
JOIN csb_snapshot last ON last.id = (
    SELECT max(s.id) FROM csb_snapshot s
    WHERE s.cloud = e.cloud AND (e.until_snapshot IS NULL OR s.id < e.until_snapshot)
);
