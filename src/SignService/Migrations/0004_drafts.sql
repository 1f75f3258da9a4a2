-- Which attempt of a client made a draft, so that its retry after a crash finds it; and the drafts by age, which are deleted after their time.
-- Locks: prescriptions, while the indexes are built.
ALTER TABLE prescriptions ADD COLUMN prepare_key text;
-- Older rows have none, and NULLs do not conflict.
CREATE UNIQUE INDEX prescriptions_prepare_key ON prescriptions (prepare_key);
CREATE INDEX prescriptions_drafts ON prescriptions (created_at) WHERE status = 'draft';
