-- First of the two wishes to take a certificate off hold. Locks: creates a table only.
CREATE TABLE certificate_resumptions (
    sha256    text PRIMARY KEY,
    wished_by text NOT NULL,
    wished_at timestamptz NOT NULL
);
