-- A request that is deleted takes its card logins with it: without an index each deletion reads the whole table, and the sweep of what has
-- expired takes longer the more people log in. Locks: writes to card_logins while the index is made; its rows live for a minute.
CREATE INDEX card_logins_by_request ON card_logins (request_id);
