-- Up to which instant time-stamps may have been given: no process ever stamps an earlier one. One row. Locks: creates a table only.
CREATE TABLE time_stamp_mark (
    "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
    until  timestamptz NOT NULL
);
INSERT INTO time_stamp_mark (until)
SELECT coalesce(greatest((SELECT max(completed_at) FROM signatures), (SELECT max(completed_at) FROM sealed_documents)), '-infinity');
