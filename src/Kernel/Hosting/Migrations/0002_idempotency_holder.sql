-- Which process runs the request of an open key, so that its death frees the key at once. Lock impact: idempotency exclusively for an instant; NULL needs no rewrite.
ALTER TABLE idempotency ADD COLUMN holder uuid;
