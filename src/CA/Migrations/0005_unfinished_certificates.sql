-- A reservation that cannot be finished is tried again later and later, so that it does not stand in the way of others, and one that
-- nobody will finish is closed. Locks: the table for an instant; the constraints are not checked for the rows that are there, for which
-- the stricter ones held that they replace.
ALTER TABLE certificates
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN next_try timestamptz,
    DROP CONSTRAINT certificates_state_check,
    ADD CONSTRAINT certificates_state_check CHECK (state IN ('reserved', 'abandoned', 'good', 'hold', 'revoked')) NOT VALID,
    DROP CONSTRAINT certificates_check,
    ADD CONSTRAINT certificates_signed_check CHECK ((state IN ('reserved', 'abandoned')) = (der IS NULL)) NOT VALID;
