-- Identifiers that this region gives to people for every region that asks. A tag is a pseudorandom function of a document (RFC 9497) under a key of our token: of
-- what another region asks for we have seen neither the document nor anything it could be found by without that key. Locks: creates a table only.
CREATE TABLE person_identifiers (
    tag      bytea PRIMARY KEY CHECK (octet_length(tag) = 32),
    person   text NOT NULL UNIQUE,
    given_to text NOT NULL,
    given_at timestamptz NOT NULL
);

-- What was given stays given.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'person_identifiers'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON person_identifiers FROM %I', grantee);
    END LOOP;
END $$;
