-- Followers are read from the index alone, their numbers too: in the table each is on
-- a page of its own. Who has no inviter has no entry.

CREATE INDEX profiles_followers ON profiles (inviter_id, invited_at, user_id, phone_number)
    WHERE inviter_id IS NOT NULL;

DROP INDEX profiles_by_inviter;
