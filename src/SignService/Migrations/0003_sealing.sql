-- When the background pass tries again to seal an approved prescription, and how often it could not. Locks: prescriptions, for the moment of the change.
ALTER TABLE prescriptions
    -- NULL: not tried yet.
    ADD COLUMN next_try timestamptz,
    ADD COLUMN tries    integer NOT NULL DEFAULT 0;
DROP INDEX prescriptions_unsealed;
CREATE INDEX prescriptions_unsealed ON prescriptions (next_try NULLS FIRST, changed_at) WHERE status = 'approved';
