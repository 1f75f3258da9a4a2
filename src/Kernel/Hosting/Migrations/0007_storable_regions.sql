-- Regions whose data may be stored here, by the residency rules. The owner fills the table when it migrates; the service only takes out what a new
-- declaration does not allow any more: rights are given by two, taken by one. A row about a person of any other region is refused by the database itself,
-- whoever writes it. Locks: creates a table only.
CREATE TABLE storable_regions (code text PRIMARY KEY CHECK (code ~ '^[0-9]{6}$'));
CREATE FUNCTION region_is_storable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM storable_regions WHERE code = NEW.region) THEN
        RAISE integrity_constraint_violation USING MESSAGE = format('residency: rows of %s of region %s may not be stored in this database', TG_TABLE_NAME, NEW.region);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER region_is_storable BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION region_is_storable();
