CREATE TABLE users (
    user_id uuid PRIMARY KEY,
    phone_number text NOT NULL UNIQUE,
    invite_code text NOT NULL UNIQUE,
    inviter_id uuid REFERENCES users (user_id),
    invited_by text,
    invited_at timestamptz,
    created_at timestamptz NOT NULL
);

CREATE INDEX users_by_inviter ON users (inviter_id, invited_at, user_id);

CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (user_id),
    challenge_id text NOT NULL UNIQUE,
    refresh_token_hash text NOT NULL,
    user_agent text NOT NULL,
    client_address text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id);
