-- What the subject index keeps besides memory. All of it derives from the entries: deleting an epoch's row has it rebuilt at the next start.
-- Locks: creates tables only.
CREATE TABLE index_epochs (
    epoch     bigint PRIMARY KEY,
    start     bigint NOT NULL,
    -- Commit entry up to which index_history holds the epoch's values.
    flushed   bigint NOT NULL,
    -- Commit entry that ended the epoch, once history and image are complete; and the root it logged.
    ended     bigint,
    trie_root bytea CHECK (octet_length(trie_root) = 32),
    CHECK ((ended IS NULL) = (trie_root IS NULL))
);

-- Values of the trie as they changed: tiles 0 to 255 are depth 16 under an 8-bit prefix, tile 256 is depth 8. A row holds from its first
-- commit to the next row's.
CREATE TABLE index_history (
    epoch       bigint   NOT NULL REFERENCES index_epochs ON DELETE CASCADE,
    tile        smallint NOT NULL,
    from_commit bigint   NOT NULL,
    base        bytea,
    changes     bytea    NOT NULL,
    PRIMARY KEY (epoch, tile, from_commit)
);

-- Keys and postings of an epoch by the first 12 bits of the key, each row as of a commit of its own.
CREATE TABLE index_image (
    epoch  bigint   NOT NULL REFERENCES index_epochs ON DELETE CASCADE,
    slice  smallint NOT NULL,
    commit bigint   NOT NULL,
    keys   bytea    NOT NULL,
    PRIMARY KEY (epoch, slice)
);

-- Hashes do not compress.
ALTER TABLE index_history ALTER COLUMN base SET STORAGE EXTERNAL;
ALTER TABLE index_history ALTER COLUMN changes SET STORAGE EXTERNAL;
ALTER TABLE index_image ALTER COLUMN keys SET STORAGE EXTERNAL;
