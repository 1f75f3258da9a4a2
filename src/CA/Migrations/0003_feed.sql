-- Numbered changes that Idp and SignService follow. Numbers are taken under a lock held to commit, so they have no gaps and
-- become visible in order. Locks: creates tables only.
CREATE TABLE feed (
    seq    bigint PRIMARY KEY,
    kind   text NOT NULL CHECK (kind IN ('practitioner', 'institution', 'affiliation', 'certificate')),
    id     text NOT NULL,
    person text,
    state  text NOT NULL,
    at     timestamptz NOT NULL
);
