-- DPoP proofs that were accepted, until they are too old to be accepted again. Locks: creates a table.
CREATE TABLE dpop_proofs (
    mark      bytea PRIMARY KEY CHECK (octet_length(mark) = 32),
    forget_at timestamptz NOT NULL
);
CREATE INDEX dpop_proofs_forget ON dpop_proofs (forget_at);
