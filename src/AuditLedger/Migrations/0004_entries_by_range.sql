-- Entries in ranges of a multiple of 65,536 indices (one tile of level 1), so that old ones can go as a whole. What was stored is copied.
-- Locks: entries exclusively while it is copied.
CREATE TABLE entries_layout (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Indices of a range made from now on.
    width   bigint NOT NULL CHECK (width > 0 AND width % 65536 = 0),
    -- Entries below it have been removed, as whole ranges; their hashes stay in the tiles.
    minimum bigint NOT NULL CHECK (minimum >= 0)
);
INSERT INTO entries_layout VALUES (true, 1048576, 0);

CREATE TABLE entries_ranges (
    first bigint PRIMARY KEY,
    next  bigint NOT NULL UNIQUE CHECK (next > first)
);

ALTER TABLE entries RENAME TO entries_before;
ALTER TABLE entries_before RENAME CONSTRAINT entries_pkey TO entries_before_pkey;
CREATE TABLE entries (
    idx       bigint PRIMARY KEY,
    leaf_hash bytea  NOT NULL,
    leaf      bytea  NOT NULL
) PARTITION BY RANGE (idx);
ALTER TABLE entries ALTER COLUMN leaf SET STORAGE EXTERNAL;

-- Makes the next range when the log has come half-way through the last, and says where the last one ends. Takes no argument: the role that
-- sequences may let the table grow as the log does, and in no other way. Made aside and attached, which blocks neither readers nor writers.
CREATE FUNCTION extend_entries() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    from_idx bigint;
    span     bigint;
    part     text;
    grantee  name;
BEGIN
    LOCK TABLE entries_ranges IN SHARE ROW EXCLUSIVE MODE;
    SELECT COALESCE(max(r.next), 0) INTO from_idx FROM entries_ranges r;
    SELECT l.width INTO span FROM entries_layout l;
    IF from_idx > 0 AND (SELECT h.size FROM head h) < from_idx - span / 2 THEN
        RETURN from_idx;
    END IF;
    part := format('entries_%s', lpad(from_idx::text, 12, '0'));
    EXECUTE format('CREATE TABLE %I (LIKE entries INCLUDING ALL, CONSTRAINT range CHECK (idx >= %s AND idx < %s))', part, from_idx, from_idx + span);
    -- What a table is born with for the service's role is taken away: it comes in through the parent only, where it may insert and read.
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = part::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %I FROM %I', part, grantee);
    END LOOP;
    EXECUTE format('ALTER TABLE entries ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, from_idx, from_idx + span);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT range', part);
    INSERT INTO entries_ranges VALUES (from_idx, from_idx + span);
    RETURN from_idx + span;
END $$;

-- Removes whole ranges below an index; the owner's role alone can.
CREATE FUNCTION drop_entries_below(below bigint) RETURNS bigint LANGUAGE plpgsql SECURITY INVOKER AS $$
DECLARE
    gone record;
BEGIN
    FOR gone IN SELECT r.first, r.next FROM entries_ranges r WHERE r.next <= LEAST(below, (SELECT h.size FROM head h)) ORDER BY r.first LOOP
        EXECUTE format('DROP TABLE %I', format('entries_%s', lpad(gone.first::text, 12, '0')));
        DELETE FROM entries_ranges r WHERE r.first = gone.first;
        UPDATE entries_layout SET minimum = gone.next;
    END LOOP;
    RETURN (SELECT minimum FROM entries_layout);
END $$;

-- A producer's place is given once: a batch begins behind all of its source and epoch. Whoever inserts also moves the head by
-- compare-and-swap in the same transaction, so two cannot look past each other.
CREATE FUNCTION batches_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.last_seq < NEW.first_seq OR EXISTS (
        SELECT 1 FROM batches b WHERE b.source = NEW.source AND b.epoch = NEW.epoch AND b.last_seq >= NEW.first_seq)
    THEN
        RAISE unique_violation USING MESSAGE = format('source %s has sent %s/%s before', NEW.source, NEW.epoch, NEW.first_seq);
    END IF;
    RETURN NEW;
END $$;

DO $$
DECLARE
    grantee name;
    signature text;
BEGIN
    -- A name means the same to a function whoever calls it.
    FOREACH signature IN ARRAY ARRAY['extend_entries()', 'drop_entries_below(bigint)', 'batches_follow()'] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', signature, current_schema());
    END LOOP;
    REVOKE EXECUTE ON FUNCTION extend_entries(), drop_entries_below(bigint) FROM PUBLIC;
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'entries'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON entries FROM %I', grantee);
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON entries_layout, entries_ranges FROM %I', grantee);
        EXECUTE format('GRANT EXECUTE ON FUNCTION extend_entries() TO %I', grantee);
    END LOOP;
    WHILE extend_entries() <= (SELECT size FROM head) LOOP
    END LOOP;
END $$;

CREATE TRIGGER batches_follow BEFORE INSERT ON batches FOR EACH ROW EXECUTE FUNCTION batches_follow();

INSERT INTO entries SELECT idx, leaf_hash, leaf FROM entries_before;
DROP TABLE entries_before;
