-- Which claim holds an open key, so that one that was taken over neither keeps nor frees the other's. Lock impact: idempotency exclusively for
-- an instant; NULL needs no rewrite.
ALTER TABLE idempotency ADD COLUMN claim uuid;
