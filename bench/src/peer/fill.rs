//! The peer's database: the same users and followers as the product's.

use testkit::PrivatePostgres;

use crate::load::world::{
    FIRST_KNOWN, FIRST_WITH_20, FIRST_WITH_1000, FOLLOWERS, KNOWN, WITH_20, WITH_1000,
};

/// Makes its tables and writes all who were here before.
pub(super) fn fill(postgres: &PrivatePostgres, database: &str) {
    postgres.psql(database, include_str!("../../peer/schema.sql"));
    for (first, count, code) in [
        (FIRST_KNOWN, KNOWN, 0),
        (FIRST_WITH_20, WITH_20, 100_000),
        (FIRST_WITH_1000, WITH_1000, 110_000),
    ] {
        let users = format!(
            "INSERT INTO users (user_id, phone_number, invite_code, created_at)
             SELECT md5('peer ' || ({first} + n))::uuid, '+' || ({first} + n),
                    lpad(({code} + n)::text, 6, '0'), now()
             FROM generate_series(0, {count} - 1) AS n"
        );
        postgres.psql(database, &users);
    }
    for (of, count, each, code) in [
        (FIRST_WITH_20, WITH_20, 20, 200_000),
        (FIRST_WITH_1000, WITH_1000, 1_000, 300_000),
    ] {
        let all = count * each;
        let followers = format!(
            "INSERT INTO users (user_id, phone_number, invite_code, created_at,
                                inviter_id, invited_by, invited_at)
             SELECT md5('peer f ' || ({code} + n))::uuid, '+' || ({FOLLOWERS} + {code} + n),
                    lpad(({code} + n)::text, 6, '0'), now(),
                    md5('peer ' || ({of} + n % {count}))::uuid, 'abcdef', now()
             FROM generate_series(0, {all} - 1) AS n"
        );
        postgres.psql(database, &followers);
    }
    postgres.psql(database, "VACUUM ANALYZE");
}
