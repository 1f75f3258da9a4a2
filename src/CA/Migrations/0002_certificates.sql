-- Requests, approvals, certificates, CRLs. Locks: creates tables only.
CREATE TABLE issuers (
    name        text PRIMARY KEY,
    parent      text,
    certificate bytea NOT NULL,
    key_label   text NOT NULL,
    -- Last CRL number given out; only ever raised, in the transaction that stores the list.
    crl_number  bigint NOT NULL DEFAULT 0
);
-- SM2 keys sealed by a key of the token, for tokens without SM2 ('software' keys; a production profile refuses them).
CREATE TABLE software_keys (
    label  text PRIMARY KEY,
    spki   bytea NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE ceremony (
    "only"      boolean PRIMARY KEY DEFAULT true CHECK ("only"),
    file_sha256 bytea NOT NULL,
    transcript  bytea,
    closed_at   timestamptz
);
CREATE TABLE officers (
    person          text PRIMARY KEY,
    name            text NOT NULL,
    identity_lookup bytea NOT NULL UNIQUE,
    region          char(6) NOT NULL,
    active          boolean NOT NULL DEFAULT true,
    recorded_at     timestamptz NOT NULL
);

CREATE TABLE certificate_requests (
    id              uuid PRIMARY KEY,
    profile         text NOT NULL,
    profile_sha256  bytea NOT NULL,
    holder          text NOT NULL,
    institution     text,
    pkcs10          bytea NOT NULL,
    -- A key is asked for once, ever: reuse would tie two certificates, two purposes or two people together.
    spki_sha256     bytea NOT NULL UNIQUE,
    identity_proof  bytea NOT NULL,
    carrier         bytea NOT NULL,
    registry_sha256 bytea NOT NULL,
    request_sha256  bytea NOT NULL,
    requested_by    text NOT NULL,
    requested_at    timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'issuing', 'issued', 'refused')),
    refusal         text
);
CREATE TABLE approvals (
    request            uuid NOT NULL REFERENCES certificate_requests,
    -- The person, not the certificate: two certificates of one officer are one voice.
    officer            text NOT NULL REFERENCES officers,
    certificate_sha256 text NOT NULL,
    signature          bytea NOT NULL,
    approved_at        timestamptz NOT NULL,
    PRIMARY KEY (request, officer)
);

CREATE TABLE certificates (
    issuer          text NOT NULL,
    serial          bytea NOT NULL,
    -- Reserved before the signature exists, so that every signature has a row and can be revoked.
    state           text NOT NULL CHECK (state IN ('reserved', 'good', 'hold', 'revoked')),
    sha256          text UNIQUE,
    request         uuid UNIQUE REFERENCES certificate_requests,
    profile         text NOT NULL,
    profile_sha256  bytea NOT NULL,
    holder          text NOT NULL,
    institution     text,
    spki_sha256     bytea NOT NULL,
    tbs             bytea NOT NULL,
    der             bytea,
    not_before      timestamptz NOT NULL,
    not_after       timestamptz NOT NULL,
    reserved_at     timestamptz NOT NULL,
    issued_at       timestamptz,
    PRIMARY KEY (issuer, serial),
    CHECK ((state = 'reserved') = (der IS NULL))
);
CREATE INDEX certificates_of ON certificates (holder);
CREATE INDEX certificates_under ON certificates (institution);
CREATE INDEX certificates_reserved ON certificates (reserved_at) WHERE state = 'reserved';
-- What was true when: the certificates row shows now, this table shows any instant.
CREATE TABLE certificate_states (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256          text NOT NULL,
    issuer          text NOT NULL,
    serial          bytea NOT NULL,
    state           text NOT NULL CHECK (state IN ('good', 'hold', 'revoked')),
    reason          smallint NOT NULL DEFAULT 0,
    -- 'registry' when it follows a person's or institution's state, 'officer' when an officer asked for it.
    cause           text NOT NULL,
    invalidity_date timestamptz,
    at              timestamptz NOT NULL,
    recorded_by     text NOT NULL
);
CREATE INDEX certificate_states_of ON certificate_states (sha256, id DESC);
CREATE INDEX certificate_states_serial ON certificate_states (issuer, serial, id DESC);

CREATE TABLE crls (
    issuer      text NOT NULL REFERENCES issuers,
    number      bigint NOT NULL,
    der         bytea NOT NULL,
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    -- Certificate changes of the feed up to here are inside.
    feed_seq    bigint NOT NULL,
    PRIMARY KEY (issuer, number)
);
