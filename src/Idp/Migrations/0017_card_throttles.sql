-- Cards and persons that were refused too often wait. Locks: creates a table only.
CREATE TABLE card_throttles (
    kind     text NOT NULL CHECK (kind IN ('certificate', 'person')),
    key      text NOT NULL,
    failures integer NOT NULL,
    last_at  timestamptz NOT NULL,
    until    timestamptz,
    PRIMARY KEY (kind, key)
);
CREATE INDEX card_throttles_age ON card_throttles (last_at);
