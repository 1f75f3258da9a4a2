-- Who exists and what they may do, effective-dated: a fact carries the instant it became true and the instant it was recorded,
-- so that "was this doctor entitled at time T" has one answer for ever. Locks: creates tables only.
CREATE TABLE institutions (
    urn                 text PRIMARY KEY,
    credit_code         text NOT NULL UNIQUE,
    name                text NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('hospital', 'internet-hospital', 'clinic', 'pharmacy', 'platform')),
    registration_number text,
    region              char(6) NOT NULL,
    recorded_at         timestamptz NOT NULL
);
CREATE TABLE institution_states (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution    text NOT NULL REFERENCES institutions,
    state          text NOT NULL CHECK (state IN ('active', 'closed')),
    effective_from timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    recorded_by    text NOT NULL,
    reason         text NOT NULL,
    basis          text
);
CREATE INDEX institution_states_of ON institution_states (institution, effective_from DESC, id DESC);

CREATE TABLE practitioners (
    urn                  text PRIMARY KEY,
    name                 text NOT NULL,
    identity_type        text NOT NULL,
    -- AES-GCM by the token; the urn is authenticated with it.
    identity_sealed      bytea NOT NULL,
    -- HMAC by the token over type and number: finds a person without showing the number.
    identity_lookup      bytea NOT NULL UNIQUE,
    role                 text NOT NULL CHECK (role IN ('physician', 'assistant-physician', 'pharmacist', 'retail-pharmacist', 'nurse')),
    licence_number       text NOT NULL,
    licence_category     text NOT NULL,
    licence_scope        text[] NOT NULL,
    qualification_sealed bytea,
    region               char(6) NOT NULL,
    recorded_at          timestamptz NOT NULL,
    UNIQUE (role, licence_number)
);
CREATE TABLE practitioner_states (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    practitioner   text NOT NULL REFERENCES practitioners,
    state          text NOT NULL CHECK (state IN ('pending', 'active', 'suspended', 'revoked', 'deregistered', 'blacklisted')),
    effective_from timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    recorded_by    text NOT NULL,
    confirmed_by   text,
    reason         text NOT NULL,
    basis          text
);
CREATE INDEX practitioner_states_of ON practitioner_states (practitioner, effective_from DESC, id DESC);
-- A right is given back by two officers: the first one's wish waits here.
CREATE TABLE reinstatements (
    id           uuid PRIMARY KEY,
    practitioner text NOT NULL REFERENCES practitioners,
    reason       text NOT NULL,
    basis        text,
    wished_by    text NOT NULL,
    wished_at    timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz
);

CREATE TABLE affiliations (
    id           text PRIMARY KEY,
    practitioner text NOT NULL REFERENCES practitioners,
    institution  text NOT NULL REFERENCES institutions,
    kind         text NOT NULL CHECK (kind IN ('main', 'multi-site', 'additional')),
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,
    region       char(6) NOT NULL,
    recorded_at  timestamptz NOT NULL,
    UNIQUE (practitioner, institution, valid_from)
);
CREATE INDEX affiliations_of ON affiliations (practitioner, institution);
CREATE INDEX affiliations_at ON affiliations (institution);
-- 备案: permission to practise online at one institution.
CREATE TABLE filings (
    id           text PRIMARY KEY,
    practitioner text NOT NULL REFERENCES practitioners,
    institution  text NOT NULL REFERENCES institutions,
    number       text NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz,
    recorded_at  timestamptz NOT NULL,
    UNIQUE (practitioner, institution, valid_from)
);
