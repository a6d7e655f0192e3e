-- One text for PostgreSQL and SQLite. Times are Unix milliseconds.

CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    -- E.164; NULL once the user is erased.
    phone_number text UNIQUE,
    -- False until profile-service has made the profile (no token before that),
    -- and again when it has erased it.
    profile_created boolean NOT NULL DEFAULT FALSE,
    created_at bigint NOT NULL,
    -- NULL as long as the user is one.
    erased_at bigint
);

-- Erasures that profile-service does not know of yet.
CREATE INDEX users_to_erase ON users (erased_at)
    WHERE erased_at IS NOT NULL AND profile_created;

CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (user_id),
    -- One code makes one session, whatever the challenge store remembers.
    challenge_id text NOT NULL UNIQUE,
    -- SHA-256 of the refresh token that is good now.
    refresh_token_hash bytea NOT NULL,
    -- Of the one before it, which for 30 s after the rotation leads to the same
    -- successor: that is derived from the old token and the nonce.
    previous_token_hash bytea,
    rotation_nonce bytea,
    rotated_at bigint,
    user_agent text NOT NULL,
    client_address text NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    -- NULL while the session lives.
    ended_at bigint
);

CREATE INDEX sessions_by_user ON sessions (user_id);
-- For the purge.
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_by_creation ON sessions (created_at);
