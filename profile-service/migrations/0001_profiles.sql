-- One text for PostgreSQL and SQLite. Times are Unix milliseconds.

CREATE TABLE profiles (
    user_id uuid PRIMARY KEY,
    -- E.164; empty once the user is erased. Not unique: a number may come to
    -- another user after an erasure.
    phone_number text NOT NULL,
    -- Six of 0-9, A-Z, a-z. Never given twice.
    invite_code text NOT NULL UNIQUE,
    -- Whose code was entered: followers are found by this, never by the code.
    inviter_id uuid,
    -- The code that was entered.
    invited_by text,
    invited_at bigint,
    created_at bigint NOT NULL,
    -- NULL as long as the user is one. An erased profile stays as a tombstone:
    -- it keeps the user from being made again by a late call, and the invite
    -- code from being drawn again.
    erased_at bigint
);

CREATE INDEX profiles_by_inviter ON profiles (inviter_id, invited_at, user_id);
