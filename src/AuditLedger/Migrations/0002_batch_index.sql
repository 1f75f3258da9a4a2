-- A batch's events have consecutive indices, so the batch says which index each place was given; one row a batch replaces one row an event.
-- Locks: batches exclusively while it is filled; places is dropped.
ALTER TABLE batches ADD COLUMN first_idx bigint;
UPDATE batches b SET first_idx = p.idx FROM places p WHERE p.source = b.source AND p.epoch = b.epoch AND p.seq = b.first_seq;
ALTER TABLE batches ALTER COLUMN first_idx SET NOT NULL;
ALTER TABLE batches ADD CONSTRAINT batches_first_idx UNIQUE (first_idx);
DROP TABLE places;
