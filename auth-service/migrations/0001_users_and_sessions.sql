-- One text for PostgreSQL and SQLite. Times are Unix milliseconds.

CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    -- E.164
    phone_number text NOT NULL UNIQUE,
    -- False until profile-service has made the profile: no token before that.
    profile_created boolean NOT NULL DEFAULT FALSE,
    created_at bigint NOT NULL
);

CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (user_id),
    -- One code makes one session, whatever the challenge store remembers.
    challenge_id text NOT NULL UNIQUE,
    -- SHA-256 of the refresh token.
    refresh_token_hash bytea NOT NULL UNIQUE,
    user_agent text NOT NULL,
    client_address text NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    -- NULL while the session lives.
    ended_at bigint
);

CREATE INDEX sessions_by_user ON sessions (user_id);
