-- The subject index is derived from the entries, with its root in the log, and answers with proofs; a table beside it answers nothing more.
-- Locks: drops a table.
DROP TABLE subjects;
