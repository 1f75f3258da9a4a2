-- What a client registered beyond its name, addresses and rights, as RFC 7591 names it. Locks: clients for a change of the catalogue.
ALTER TABLE clients ADD COLUMN metadata text NOT NULL DEFAULT '{}';
UPDATE clients SET metadata = '{"token_endpoint_auth_method":"none"}' WHERE kind = 'public';
