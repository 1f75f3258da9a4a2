-- What the registry says of people and institutions is appended, never rewritten: each fact carries the instant from which it holds and
-- the instant at which it was recorded, so that "what was so at T, as known at U" has one answer for ever. The latest recorded fact that
-- holds at T rules. Rows that are there are carried over as known since they were recorded; what corrections before this migration
-- overwrote is not known any more. Locks: the four tables, while their rows are copied once.
CREATE TABLE practitioner_facts (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    practitioner         text NOT NULL REFERENCES practitioners,
    name                 text NOT NULL,
    role                 text NOT NULL CHECK (role IN ('physician', 'assistant-physician', 'pharmacist', 'retail-pharmacist', 'nurse')),
    licence_number       text NOT NULL,
    licence_category     text NOT NULL,
    licence_scope        text[] NOT NULL,
    -- AES-GCM by the token; the practitioner's urn is authenticated with it.
    qualification_sealed bytea,
    region               char(6) NOT NULL,
    effective_from       timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL,
    recorded_by          text NOT NULL,
    confirmed_by         text
);
CREATE INDEX practitioner_facts_of ON practitioner_facts (practitioner, id DESC);
CREATE INDEX practitioner_facts_licence ON practitioner_facts (licence_number, role);
CREATE INDEX practitioner_facts_name ON practitioner_facts (name);

CREATE TABLE institution_facts (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution         text NOT NULL REFERENCES institutions,
    name                text NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('hospital', 'internet-hospital', 'clinic', 'pharmacy', 'platform')),
    registration_number text,
    region              char(6) NOT NULL,
    effective_from      timestamptz NOT NULL,
    recorded_at         timestamptz NOT NULL,
    recorded_by         text NOT NULL,
    confirmed_by        text
);
CREATE INDEX institution_facts_of ON institution_facts (institution, id DESC);

INSERT INTO practitioner_facts (practitioner, name, role, licence_number, licence_category, licence_scope, qualification_sealed, region,
                                effective_from, recorded_at, recorded_by)
SELECT p.urn, p.name, p.role, p.licence_number, p.licence_category, p.licence_scope, p.qualification_sealed, p.region,
       least(p.recorded_at, s.effective_from), p.recorded_at, coalesce(s.recorded_by, 'migration')
FROM practitioners p
LEFT JOIN LATERAL (SELECT effective_from, recorded_by FROM practitioner_states WHERE practitioner = p.urn ORDER BY id LIMIT 1) s ON true
ORDER BY p.recorded_at, p.urn;
INSERT INTO institution_facts (institution, name, kind, registration_number, region, effective_from, recorded_at, recorded_by)
SELECT i.urn, i.name, i.kind, i.registration_number, i.region,
       least(i.recorded_at, s.effective_from), i.recorded_at, coalesce(s.recorded_by, 'migration')
FROM institutions i
LEFT JOIN LATERAL (SELECT effective_from, recorded_by FROM institution_states WHERE institution = i.urn ORDER BY id LIMIT 1) s ON true
ORDER BY i.recorded_at, i.urn;

ALTER TABLE practitioners
    DROP COLUMN name, DROP COLUMN role, DROP COLUMN licence_number, DROP COLUMN licence_category, DROP COLUMN licence_scope,
    DROP COLUMN qualification_sealed, DROP COLUMN region;
ALTER TABLE institutions DROP COLUMN name, DROP COLUMN kind, DROP COLUMN registration_number, DROP COLUMN region;

-- An affiliation or filing keeps its id; each correction of it is a further version, and the latest version known rules.
ALTER TABLE affiliations
    DROP CONSTRAINT affiliations_pkey, DROP CONSTRAINT affiliations_practitioner_institution_valid_from_key,
    ADD COLUMN version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN recorded_by text NOT NULL DEFAULT 'migration', ADD COLUMN confirmed_by text;
ALTER TABLE affiliations ALTER COLUMN recorded_by DROP DEFAULT;
CREATE UNIQUE INDEX affiliations_versions ON affiliations (id, version);
ALTER TABLE filings
    DROP CONSTRAINT filings_pkey, DROP CONSTRAINT filings_practitioner_institution_valid_from_key,
    ADD COLUMN version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN recorded_by text NOT NULL DEFAULT 'migration', ADD COLUMN confirmed_by text;
ALTER TABLE filings ALTER COLUMN recorded_by DROP DEFAULT;
CREATE UNIQUE INDEX filings_versions ON filings (id, version);
CREATE INDEX filings_of ON filings (practitioner, institution);

-- The versions known at an instant; one SELECT each, so that the planner reads through them.
CREATE FUNCTION affiliations_known(known timestamptz) RETURNS SETOF affiliations LANGUAGE sql STABLE AS $$
    SELECT a.* FROM affiliations a WHERE a.recorded_at <= known
      AND NOT EXISTS (SELECT 1 FROM affiliations later WHERE later.id = a.id AND later.version > a.version AND later.recorded_at <= known)
$$;
CREATE FUNCTION filings_known(known timestamptz) RETURNS SETOF filings LANGUAGE sql STABLE AS $$
    SELECT f.* FROM filings f WHERE f.recorded_at <= known
      AND NOT EXISTS (SELECT 1 FROM filings later WHERE later.id = f.id AND later.version > f.version AND later.recorded_at <= known)
$$;

-- The service appends facts and reads them, and nothing else.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'practitioner_facts'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON practitioner_facts, institution_facts, affiliations, filings, '
            'practitioner_states, institution_states FROM %I', grantee);
    END LOOP;
END $$;
