-- The log of documents: rows are added, never changed or deleted.
CREATE TABLE csb_document (
    id       INTEGER PRIMARY KEY,              -- the order in which they came
    cloud    INTEGER NOT NULL REFERENCES csb_cloud (id),
    kind     TEXT    NOT NULL,                 -- price_book, statement, correction
    name     TEXT    NOT NULL,                 -- the book's name; the statement's customer and period
    digest   BLOB    NOT NULL CHECK (length(digest) = 32),  -- SHA-256 of content
    length   INTEGER NOT NULL,                 -- of content, in bytes
    author   TEXT    NOT NULL,
    recorded INTEGER NOT NULL,
    content  TEXT    NOT NULL                  -- the document, byte for byte
) STRICT;
CREATE INDEX csb_document_name ON csb_document (cloud, kind, name, id);
CREATE INDEX csb_document_recorded ON csb_document (cloud, recorded, id);
CREATE INDEX csb_document_digest ON csb_document (cloud, digest, id);

CREATE TRIGGER csb_document_stays BEFORE UPDATE ON csb_document
BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END;
CREATE TRIGGER csb_document_kept BEFORE DELETE ON csb_document
BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END;
