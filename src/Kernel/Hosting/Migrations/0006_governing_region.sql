-- Rows about persons carry the region that governs them, from their creation on and for good. Answers kept for a retry may be such: they are of the
-- region of the service that gave them. Locks: idempotency, while the rows of some days are filled.
CREATE FUNCTION region_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.region IS DISTINCT FROM OLD.region THEN
        RAISE integrity_constraint_violation USING MESSAGE = format('the region of a row of %s is fixed at its creation', TG_TABLE_NAME);
    END IF;
    RETURN NEW;
END $$;

ALTER TABLE idempotency ADD COLUMN region text CHECK (region ~ '^[0-9]{6}$');
UPDATE idempotency SET region = current_setting('trust.region');
ALTER TABLE idempotency ALTER COLUMN region SET NOT NULL;
CREATE TRIGGER region_is_fixed BEFORE UPDATE OF region ON idempotency FOR EACH ROW EXECUTE FUNCTION region_is_fixed();
