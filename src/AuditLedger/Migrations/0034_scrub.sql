-- How far the check of the whole log that runs by itself has come, so that a process that is started anew goes on where the one before ended. Locks:
-- creates a table only.
CREATE TABLE scrub (
    one      boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- Where the check goes on, behind the end of a volume of the subject index; null before its first portion and between two checks.
    position bytea,
    -- When the last check ended: the next one begins so much later as is configured. Before the first, when it was first thought of.
    ended_at timestamptz NOT NULL,
    -- What the last check found.
    faults   integer     NOT NULL DEFAULT 0 CHECK (faults >= 0)
);
