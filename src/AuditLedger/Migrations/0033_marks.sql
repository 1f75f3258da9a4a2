-- Where the log's own anchors and checks stand: events that every regulator may see, at which the range of an answer can begin and end. Added with their
-- entries from now on; those before are found only where they lie near. Locks: creates a table only.
CREATE TABLE marks (
    idx bigint PRIMARY KEY
);

DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'marks'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON marks FROM %I', grantee);
    END LOOP;
END $$;
