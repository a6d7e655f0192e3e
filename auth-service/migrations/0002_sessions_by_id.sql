-- A session's id is a UUIDv7: its order is that of the sessions' beginnings, so the
-- purge finds the old ones by it, and each sign-in writes one index less.

DROP INDEX sessions_by_creation;
