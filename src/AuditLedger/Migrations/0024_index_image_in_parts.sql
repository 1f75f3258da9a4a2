-- An image of the live epoch grows by parts: the first holds every key, each later one the keys that were given a posting since. Written anew as a
-- whole once a minute it was hundreds of megabytes, and as much again of rows that were deleted and vacuumed. A sealed epoch has one part.
-- What only grows needs no vacuum for having grown: it marks pages that nobody scans, each of which is written again for that.
-- Locks: index_image exclusively while its key of some thousand rows an epoch is made; the others against other maintenance.
ALTER TABLE index_image ADD COLUMN part smallint NOT NULL DEFAULT 0 CHECK (part >= 0);
ALTER TABLE index_image DROP CONSTRAINT index_image_pkey;
ALTER TABLE index_image ADD PRIMARY KEY (epoch, slice, part);

ALTER TABLE index_image SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
ALTER TABLE index_history SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
ALTER TABLE tiles SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
ALTER TABLE batches SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
ALTER TABLE data_keys SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1);
