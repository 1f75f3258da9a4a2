-- A range of entries only grows, and is read by key: vacuuming it each time it has grown by a fifth writes every page again, and after a
-- checkpoint every page to the write-ahead log as well, which doubles what a busy ledger's disk has to take. It is left until the oldest
-- transaction in it has to be frozen: each range comes to that once, at its own time, if it was not removed before.
-- Locks: each range against other maintenance for a change of the catalogue; none that readers or the sequencer wait for.
CREATE OR REPLACE FUNCTION extend_entries() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
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
    EXECUTE format('CREATE TABLE %I (LIKE entries INCLUDING ALL, CONSTRAINT range CHECK (idx >= %s AND idx < %s))
        WITH (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1)', part, from_idx, from_idx + span);
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

DO $$
DECLARE
    part regclass;
BEGIN
    EXECUTE format('ALTER FUNCTION extend_entries() SET search_path = %I, pg_temp', current_schema());
    FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'entries'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_insert_threshold = -1)', part);
    END LOOP;
END $$;
