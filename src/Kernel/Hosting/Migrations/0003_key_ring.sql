-- Keys of Data Protection: the document with its key material wrapped by a token key, and a seal of the token over the whole of it. Lock impact: new table only.
CREATE TABLE key_ring (
    name       text        PRIMARY KEY,
    document   text        NOT NULL,
    seal       bytea       NOT NULL,
    created_at timestamptz NOT NULL
);
