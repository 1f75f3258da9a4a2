-- Checkpoints stamped by outside authorities, and the stamps of their stamps. Locks: creates tables only.
CREATE TABLE anchors (
    id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    size bigint NOT NULL,
    root bytea  NOT NULL CHECK (octet_length(root) = 32),
    note text   NOT NULL
);
CREATE INDEX anchors_size ON anchors (size);

CREATE TABLE anchor_stamps (
    anchor    bigint      NOT NULL REFERENCES anchors (id),
    -- 0 is over the note, each later one over the note and all tokens before it.
    number    smallint    NOT NULL,
    authority text        NOT NULL,
    token     bytea       NOT NULL,
    time      timestamptz NOT NULL,
    -- End of the authority's certificate.
    ends      timestamptz NOT NULL,
    PRIMARY KEY (anchor, number)
);
CREATE INDEX anchor_stamps_ends ON anchor_stamps (ends);

-- Evidence is written once.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'anchors'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON anchors, anchor_stamps FROM %I', grantee);
    END LOOP;
END $$;
