-- A subject's key has an identity of its own, which it keeps under every master that it moves to: a process that holds an opened key in memory learns by it
-- that another one has shredded it since, or that the subject has a new one. Locks: subject_keys exclusively, and writes it anew.
ALTER TABLE subject_keys ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
