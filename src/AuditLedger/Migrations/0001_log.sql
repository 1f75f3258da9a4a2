-- The log. Locks: creates tables only.
-- One row: where the sequencer stands. Every group moves it by compare-and-swap on size, root and writer.
CREATE TABLE head (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    size   bigint NOT NULL CHECK (size >= 0),
    root   bytea  NOT NULL CHECK (octet_length(root) = 32),
    -- Ledger time of the last entry, microseconds since 1970.
    time   bigint NOT NULL,
    -- Raised by each process that begins to sequence; fences the one before.
    writer bigint NOT NULL
);
INSERT INTO head VALUES (true, 0, decode('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex'), 0, 0);

-- Range-partitionable by idx: no unique constraint without it.
CREATE TABLE entries (
    idx       bigint PRIMARY KEY,
    leaf_hash bytea  NOT NULL,
    leaf      bytea  NOT NULL
);
ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL;

CREATE TABLE sources (
    id         smallint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name       text   NOT NULL UNIQUE,
    open_epoch bigint NOT NULL,
    epoch      bigint NOT NULL,
    seq        bigint NOT NULL,
    hash       bytea  NOT NULL
);

-- A producer's place and the index it was given, for good.
CREATE TABLE places (
    source smallint NOT NULL REFERENCES sources (id),
    epoch  bigint   NOT NULL,
    seq    bigint   NOT NULL,
    idx    bigint   NOT NULL,
    PRIMARY KEY (source, epoch, seq)
);

CREATE TABLE batches (
    source    smallint NOT NULL REFERENCES sources (id),
    epoch     bigint   NOT NULL,
    first_seq bigint   NOT NULL,
    last_seq  bigint   NOT NULL,
    signature bytea    NOT NULL,
    PRIMARY KEY (source, epoch, last_seq)
);

CREATE TABLE subjects (
    key bytea  NOT NULL,
    idx bigint NOT NULL,
    PRIMARY KEY (key, idx)
);

-- Full tiles of 256 hashes; what is not full yet is derived from entries and lower tiles.
CREATE TABLE tiles (
    level  smallint NOT NULL,
    n      bigint   NOT NULL,
    hashes bytea    NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (level, n)
);

-- Opens the sealed detail of an entry; deleting a row shreds it and leaves every proof valid.
CREATE TABLE data_keys (
    idx bigint PRIMARY KEY,
    key bytea  NOT NULL
);

-- Evidence is written once: the role that sequences cannot rewrite it.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'entries'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON entries, places, batches, subjects, tiles FROM %I', grantee);
        EXECUTE format('REVOKE INSERT, DELETE, TRUNCATE ON head FROM %I', grantee);
    END LOOP;
END $$;
