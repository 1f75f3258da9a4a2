-- Keys and certificates in use, each once, as they were first seen; its event stands in the same transaction. Lock impact: new table only.
CREATE TABLE key_register (
    label   text        NOT NULL,
    -- Of the public key, or of the certificate; empty for a secret key.
    sha256  bytea       NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (label, sha256)
);
