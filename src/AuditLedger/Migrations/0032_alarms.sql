-- Where the log's own alarms stand, so that they can be listed without reading the log; each is added with its entry. Alarms logged before are found in
-- the log alone. Locks: creates a table only.
CREATE TABLE alarms (
    idx  bigint      PRIMARY KEY,
    -- Ledger time and identifier of the event: the list's order.
    at   timestamptz NOT NULL,
    id   uuid        NOT NULL,
    kind text        NOT NULL
);
CREATE UNIQUE INDEX alarms_place ON alarms (at, id);

DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'alarms'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON alarms FROM %I', grantee);
    END LOOP;
END $$;
