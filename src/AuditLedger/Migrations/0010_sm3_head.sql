-- SM2 keys sealed by a key of the token, for tokens without SM2 ('software' keys; a production profile refuses them).
-- Locks: creates tables only.
CREATE TABLE software_keys (
    label  text PRIMARY KEY,
    spki   bytea NOT NULL,
    sealed bytea NOT NULL
);

-- Where the tree under SM3 stands; derived from entries, moved behind the sequencer. Frontiers: one 32-byte root for each set bit of size.
CREATE TABLE sm3_head (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    size   bigint NOT NULL CHECK (size >= 0),
    sm3    bytea  NOT NULL,
    sha256 bytea  NOT NULL,
    note   text   NOT NULL
);
INSERT INTO sm3_head VALUES (true, 0, '', '', '');
