-- Instants are DATETIME(6) in UTC, whatever the server's time zone. Periods are half-open.
-- Texts compare to the letter: case, accents and spaces at the end make another text.
-- A change of tables cannot be rolled back in MariaDB, so each statement may be run again.

CREATE TABLE IF NOT EXISTS csb_cloud (
    id             BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name           VARCHAR(255) NOT NULL,
    watermark      DATETIME(6)  NULL     COMMENT 'end of the newest window of the last complete fetch',
    longest_window BIGINT       NOT NULL DEFAULT 0 COMMENT 'ms; bounds the search for windows that reach into a period',
    UNIQUE KEY csb_cloud_name (name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin COMMENT = 'A cloud';

CREATE TABLE IF NOT EXISTS csb_sync (
    id    BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud BIGINT      NOT NULL REFERENCES csb_cloud (id),
    at    DATETIME(6) NOT NULL,
    entry LONGTEXT    NOT NULL COMMENT 'counts, notices, range, watermark' CHECK (json_valid(entry)),
    KEY csb_sync_cloud (cloud, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin COMMENT = 'A committed sync';

CREATE TABLE IF NOT EXISTS csb_usage (
    id             BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud          BIGINT         NOT NULL REFERENCES csb_cloud (id),
    record_key     BINARY(16)     NOT NULL,
    revision       BIGINT         NOT NULL COMMENT 'number of the multiset of the key, from 0',
    copy           BIGINT         NOT NULL COMMENT 'number among the twins of the revision, from 0',
    recorded_from  DATETIME(6)    NOT NULL,
    recorded_until DATETIME(6)    NULL     COMMENT 'NULL while it stands',
    usage_type     INT UNSIGNED   NOT NULL,
    window_start   DATETIME(6)    NOT NULL,
    window_end     DATETIME(6)    NOT NULL,
    raw_usage      DECIMAL(57,28) NOT NULL COMMENT 'hours, bytes or a number, as CloudStack counts the type',
    resource       VARCHAR(255)   NULL,
    vm             VARCHAR(255)   NULL,
    domain         VARCHAR(255)   NOT NULL,
    account        VARCHAR(255)   NULL,
    project        VARCHAR(255)   NULL,
    record         LONGTEXT       NOT NULL COMMENT 'the whole record, JSON of the library',
    sent           LONGTEXT       NOT NULL COMMENT 'the whole record, JSON as CloudStack sent it',
    UNIQUE KEY csb_usage_key (cloud, record_key, revision, copy),
    KEY csb_usage_window (cloud, window_start, window_end, record_key, revision, copy),
    KEY csb_usage_domain (cloud, domain, window_start),
    KEY csb_usage_account (cloud, account, window_start),
    KEY csb_usage_project (cloud, project, window_start),
    KEY csb_usage_vm (cloud, vm, window_start),
    KEY csb_usage_resource (cloud, resource, window_start),
    CHECK (window_end > window_start)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'One record of the multiset of its key; closed by a revision, never changed otherwise';

CREATE TABLE IF NOT EXISTS csb_snapshot (
    id       BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud    BIGINT      NOT NULL REFERENCES csb_cloud (id),
    at       DATETIME(6) NOT NULL,
    complete LONGTEXT    NOT NULL COMMENT 'kinds listed completely' CHECK (json_valid(complete)),
    KEY csb_snapshot_cloud (cloud, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin COMMENT = 'A snapshot of the metadata';

CREATE TABLE IF NOT EXISTS csb_entity (
    id             BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud          BIGINT       NOT NULL REFERENCES csb_cloud (id),
    kind           VARCHAR(32)  NOT NULL,
    resource       VARCHAR(255) NOT NULL,
    name           TEXT         NOT NULL,
    fingerprint    BINARY(16)   NOT NULL,
    copy           BIGINT       NOT NULL COMMENT 'number among identical entries of one snapshot, from 0',
    first_snapshot BIGINT       NOT NULL REFERENCES csb_snapshot (id),
    until_snapshot BIGINT       NULL REFERENCES csb_snapshot (id),
    entry          LONGTEXT     NOT NULL COMMENT 'JSON of the library',
    standing       TINYINT      AS (IF(until_snapshot IS NULL, 1, NULL)) PERSISTENT COMMENT 'for the unique key alone',
    UNIQUE KEY csb_entity_standing (cloud, fingerprint, copy, standing),
    KEY csb_entity_first (cloud, first_snapshot, id),
    KEY csb_entity_until (cloud, until_snapshot, id),
    KEY csb_entity_resource (cloud, kind, resource)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'An entry (VM, volume, tag, tag event, …) in one form, from first_snapshot up to the one before until_snapshot';

CREATE TABLE IF NOT EXISTS csb_rejection (
    id           BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud        BIGINT      NOT NULL REFERENCES csb_cloud (id),
    fingerprint  BINARY(16)  NOT NULL,
    period_start DATETIME(6) NOT NULL,
    period_end   DATETIME(6) NOT NULL,
    first_seen   DATETIME(6) NOT NULL,
    last_seen    DATETIME(6) NOT NULL,
    resolved     DATETIME(6) NULL COMMENT 'the sync whose fetch of that time did not have it any more',
    rejection    LONGTEXT    NOT NULL CHECK (json_valid(rejection)),
    standing     TINYINT     AS (IF(resolved IS NULL, 1, NULL)) PERSISTENT COMMENT 'for the unique key alone',
    UNIQUE KEY csb_rejection_standing (cloud, fingerprint, standing)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin COMMENT = 'An entry that could not be read';

CREATE TABLE IF NOT EXISTS csb_label (
    id             BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    cloud          BIGINT       NOT NULL REFERENCES csb_cloud (id),
    resource_type  VARCHAR(64)  NOT NULL,
    resource       VARCHAR(255) NOT NULL,
    `key`          VARCHAR(255) NOT NULL,
    value          TEXT         NOT NULL,
    valid_from     DATETIME(6)  NOT NULL,
    valid_until    DATETIME(6)  NOT NULL,
    author         VARCHAR(255) NOT NULL,
    recorded_from  DATETIME(6)  NOT NULL,
    recorded_until DATETIME(6)  NULL,
    withdrawn_by   VARCHAR(255) NULL,
    KEY csb_label_target (cloud, resource_type, resource, `key`),
    CHECK (valid_until > valid_from)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'A tag of our own; closed by what takes its place, never changed';

CREATE TABLE IF NOT EXISTS csb_document (
    id       BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'the order in which they came',
    cloud    BIGINT       NOT NULL REFERENCES csb_cloud (id),
    kind     VARCHAR(32)  NOT NULL COMMENT 'price_book, statement, correction',
    name     VARCHAR(255) NOT NULL COMMENT 'the book, or customer and period of a statement',
    digest   BINARY(32)   NOT NULL COMMENT 'SHA-256 of content',
    length   BIGINT       NOT NULL COMMENT 'of content, in bytes',
    author   VARCHAR(255) NOT NULL,
    recorded DATETIME(6)  NOT NULL,
    content  LONGBLOB     NOT NULL COMMENT 'the document in UTF-8, byte for byte',
    KEY csb_document_name (cloud, kind, name, id),
    KEY csb_document_recorded (cloud, recorded, id),
    KEY csb_document_digest (cloud, digest, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'The log of documents: rows are added, never changed or deleted';

CREATE SQL SECURITY INVOKER VIEW IF NOT EXISTS csb_usage_now AS
SELECT c.name AS cloud, u.usage_type, u.window_start, u.window_end, u.raw_usage,
       u.resource, u.vm, u.domain, u.account, u.project, u.record, u.sent
FROM csb_usage u JOIN csb_cloud c ON c.id = u.cloud
WHERE u.recorded_until IS NULL;

CREATE SQL SECURITY INVOKER VIEW IF NOT EXISTS csb_entity_seen AS
SELECT c.name AS cloud, e.kind, e.resource, e.name, first.at AS first_seen,
       (SELECT max(s.at) FROM csb_snapshot s
        WHERE s.cloud = e.cloud AND (e.until_snapshot IS NULL OR s.id < e.until_snapshot)) AS last_seen,
       e.until_snapshot IS NULL AS is_there, e.entry
FROM csb_entity e
JOIN csb_cloud c ON c.id = e.cloud
JOIN csb_snapshot first ON first.id = e.first_snapshot;
