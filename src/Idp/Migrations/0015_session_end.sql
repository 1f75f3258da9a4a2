-- A session ends when nobody uses it, remembers the institution chosen in it and how well its card was checked; who was given tokens in it is told
-- of its end. Locks: sessions, card_logins and tokens for a change of the catalogue (columns without a rewrite, a trigger); creates tables.
ALTER TABLE sessions
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN institution  text,
    ADD COLUMN acr          text NOT NULL DEFAULT 'urn:trust:acr:card';
ALTER TABLE card_logins ADD COLUMN acr text NOT NULL DEFAULT 'urn:trust:acr:card';

-- The institution that a client asked to be acted for.
ALTER TABLE authorization_requests ADD COLUMN acting_institution text;

-- Whom a session gave tokens to, whichever grant: a grant that forgot to say so would leave a system logged in.
CREATE TABLE session_clients (
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    client_id  text NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE FUNCTION session_client_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO session_clients (session_id, client_id) VALUES (NEW.session_id, NEW.client_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER session_client_is_kept AFTER INSERT ON tokens FOR EACH ROW WHEN (NEW.session_id IS NOT NULL) EXECUTE FUNCTION session_client_is_kept();

-- Back-channel notices that are due: written in the transaction that ends the session, gone when delivered or given up.
CREATE TABLE logout_notices (
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    client_id  text NOT NULL,
    created_at timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    tries      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX logout_notices_due ON logout_notices (next_at);
