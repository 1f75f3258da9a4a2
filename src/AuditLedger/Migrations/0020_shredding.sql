-- Data keys sealed under a key of their subject, which is sealed under a master in the token. Locks: creates tables; data_keys exclusively.
-- One row a master; 'active' seals, 'retiring' only opens until every surviving key has left it, then the token destroys it.
CREATE TABLE subject_masters (
    number       integer PRIMARY KEY CHECK (number > 0),
    state        text NOT NULL CHECK (state IN ('active', 'retiring', 'destroyed')),
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((state = 'destroyed') = (destroyed_at IS NOT NULL))
);
CREATE UNIQUE INDEX subject_masters_active ON subject_masters (state) WHERE state = 'active';

CREATE TABLE subject_keys (
    subject bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
    master  integer NOT NULL REFERENCES subject_masters (number),
    -- nonce 12, ciphertext 32, tag 16; associated data is the subject.
    wrapped bytea NOT NULL CHECK (octet_length(wrapped) = 60)
);
CREATE INDEX subject_keys_master ON subject_keys (master);

-- subject 32, nonce 12, ciphertext 32, tag 16; associated data is the body's hash.
ALTER TABLE data_keys ADD CHECK (octet_length(key) = 92);
ALTER TABLE data_keys ADD COLUMN subject bytea GENERATED ALWAYS AS (substring(key FROM 1 FOR 32)) STORED;
CREATE INDEX data_keys_subject ON data_keys (subject);

-- Intent before what cannot be undone.
CREATE TABLE shreddings (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    subject      bytea NOT NULL CHECK (octet_length(subject) = 32),
    reason       text NOT NULL,
    state        text NOT NULL CHECK (state IN ('requested', 'approved', 'destroyed')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    approved_by  text CHECK (approved_by <> requested_by),
    approved_at  timestamptz,
    -- The master that goes with it, once its change has begun.
    master       integer REFERENCES subject_masters (number),
    destroyed_at timestamptz
);
CREATE INDEX shreddings_open ON shreddings (state) WHERE state = 'approved';

-- A hold keeps everything on its subject, whatever its age.
CREATE TABLE legal_holds (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL,
    subject     bytea NOT NULL CHECK (octet_length(subject) = 32),
    case_number text NOT NULL,
    placed_by   text NOT NULL,
    placed_at   timestamptz NOT NULL,
    released_by text,
    released_at timestamptz,
    CHECK ((released_by IS NULL) = (released_at IS NULL))
);
CREATE INDEX legal_holds_open ON legal_holds (subject) WHERE released_at IS NULL;
