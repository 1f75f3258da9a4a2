-- The newest checkpoint that a quorum of witnesses has cosigned, with their lines. Locks: creates a table only.
CREATE TABLE witnessed (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    size      bigint NOT NULL,
    note      text   NOT NULL,
    stored_at timestamptz NOT NULL
);
