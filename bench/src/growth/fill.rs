//! As many users as are wanted, written by SQL as the product writes them.
//!
//! Keys are made as the product makes them: ids begin with the time, in whose order
//! rows are written; phones, invite codes and challenge ids have nothing to do with
//! that order, and so their indexes are as full as random ones are. Every user has a
//! live session. Followers have profiles alone.

use kit::clock::{Clock as _, SystemClock};

use crate::machine::Machine;

/// Users whose profile has 20 followers, and those with 1,000.
pub(super) const WITH_20: u64 = 100;
pub(super) const WITH_1000: u64 = 10;
/// All who have followers: the last one has as many as there are users.
pub(super) const FOLLOWED: u64 = WITH_20 + WITH_1000 + 1;

/// Where the numbers of each kind begin; all are possible ones.
const FIRST: u64 = 77_000_000_000;
const FIRST_FOLLOWED: u64 = 77_200_000_000;
const FIRST_FOLLOWER: u64 = 77_400_000_000;
/// The numbers of users are as far apart: new ones come between them.
const APART: u64 = 10;
/// Has no factor in common with a power of ten: its multiples visit every user.
const STRIDE: u64 = 7_654_321;

const DAY: i64 = 24 * 3_600 * 1_000;

/// The number of the user who has this place among all by number.
pub(super) fn phone(place: u64) -> String {
    format!("+{}", FIRST + APART * place)
}

/// A number that nobody has, between those of two users.
pub(super) fn new_phone(place: u64) -> String {
    format!("+{}", FIRST + APART * place + APART / 2)
}

/// The number of somebody who has followers.
pub(super) fn followed_phone(number: u64) -> String {
    format!("+{}", FIRST_FOLLOWED + number)
}

/// The place of the `turn`-th of `users`, so that those who come one after the
/// other are far apart, and all come once before one comes again.
pub(super) fn spread_out(turn: u64, users: u64) -> u64 {
    turn % users * (STRIDE % users) % users
}

/// Writes so many users, a power of ten, into both databases of a machine, whose
/// tables are there and empty.
pub(super) fn fill(machine: &Machine, users: u64) {
    let now = SystemClock.now().0;
    let postgres = &machine.postgres;
    let run = |url: &str, statements: &[String]| {
        for statement in statements {
            postgres.psql(url, statement);
        }
    };
    // What is written here is not what is measured: pages need not be written twice.
    let any = &machine.auth_database;
    let full_pages = |order: &str| {
        run(any, &[format!("ALTER SYSTEM {order}")]);
        run(any, &["SELECT pg_reload_conf()".to_owned()]);
    };
    full_pages("SET full_page_writes = off");
    run(
        &machine.auth_database,
        &[
            plain_users(now, users),
            followed_users(now),
            sessions(now, users),
        ],
    );
    let (first_1000, star) = (WITH_20, WITH_20 + WITH_1000);
    let groups = [
        (star, 1, users, 90 * DAY, 60 * DAY),
        (0, WITH_20, 20, 29 * DAY, DAY),
        (first_1000, WITH_1000, 1_000, 28 * DAY, DAY),
    ];
    let mut profiles = vec![plain_profiles(now, users), followed_profiles(now, users)];
    let mut codes = users + FOLLOWED;
    for (first, count, each, ago, during) in groups {
        let span = (now - ago, during);
        profiles.push(followers(now, (first, count, each), span, codes));
        codes += count * each;
    }
    run(&machine.profile_database, &profiles);
    full_pages("RESET full_page_writes");
    for url in [&machine.auth_database, &machine.profile_database] {
        run(url, &["VACUUM ANALYZE".to_owned()]);
    }
    run(any, &["CHECKPOINT".to_owned()]);
}

/// A UUIDv7 of a time, the same for the same seed.
fn uuid_v7(millis: &str, seed: &str) -> String {
    format!(
        "(lpad(to_hex({millis}), 12, '0') || '7' || substr(md5({seed}), 1, 3)
          || 'a' || substr(md5({seed}), 4, 15))::uuid"
    )
}

/// When the user came whose number this column has: in the course of 300 days that
/// are over.
fn came(now: i64, users: u64, n: &str) -> String {
    format!("({} + {n} * {} / {users})", now - 400 * DAY, 300 * DAY)
}

fn user_id(now: i64, users: u64, n: &str) -> String {
    uuid_v7(&came(now, users, n), &format!("'u' || {n}"))
}

/// The id of somebody who has followers, by an expression for the number.
fn followed_id(now: i64, number: &str) -> String {
    uuid_v7(
        &format!("({} + {number})", now - 99 * DAY),
        &format!("'s' || {number}"),
    )
}

/// Six of 0-9, A-Z, a-z: another one for every number, in no order.
fn invite_code(number: &str) -> String {
    const ALL: i64 = 62_i64.pow(6);
    let letters: Vec<String> = (0..6)
        .map(|place| {
            format!(
                "substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
                        1 + (({number} * 35184372089 + 12345) % {ALL} / {} % 62)::int, 1)",
                62_i64.pow(place)
            )
        })
        .collect();
    letters.join(" || ")
}

fn plain_users(now: i64, users: u64) -> String {
    let (id, came) = (user_id(now, users, "n"), came(now, users, "n"));
    format!(
        "INSERT INTO users (user_id, phone_number, created_at)
         SELECT {id}, '+' || ({FIRST} + {APART} * (n * {STRIDE} % {users})), {came}
         FROM generate_series(0::bigint, {users} - 1) AS n"
    )
}

fn followed_users(now: i64) -> String {
    let id = followed_id(now, "n");
    format!(
        "INSERT INTO users (user_id, phone_number, created_at)
         SELECT {id}, '+' || ({FIRST_FOLLOWED} + n), {}
         FROM generate_series(0::bigint, {FOLLOWED} - 1) AS n",
        now - 99 * DAY
    )
}

/// One for each user, in no order of theirs, all begun within the last 29 days.
fn sessions(now: i64, users: u64) -> String {
    let began = format!("({} + s * {} / {users})", now - 29 * DAY, 28 * DAY);
    let (session_id, user_id) = (uuid_v7(&began, "'e' || s"), user_id(now, users, "n"));
    format!(
        "INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                               user_agent, client_address, created_at, last_used_at)
         SELECT {session_id}, {user_id},
                translate(encode(substr(sha256(('c' || s)::bytea), 1, 18), 'base64'), '+/', '-_'),
                sha256(('r' || s)::bytea), 'Example/3.2.1 (iPhone15,2; iOS 17.5.1)',
                concat_ws('.', 100 + s % 100, s / 7 % 256, s / 13 % 256, s % 256), {began}, {began}
         FROM (SELECT s, (s * {STRIDE} + 99) % {users} AS n
               FROM generate_series(0::bigint, {users} - 1) AS s) AS both_numbers"
    )
}

/// A third of all users has entered the code of somebody of another third; nobody
/// of these has many followers. Those of the last third know nobody.
fn plain_profiles(now: i64, users: u64) -> String {
    let (id, came, code) = (
        user_id(now, users, "n"),
        came(now, users, "n"),
        invite_code("n"),
    );
    let inviter = user_id(now, users, "inviter");
    let back = inverse(users);
    let third = users / 3;
    format!(
        "INSERT INTO profiles (user_id, phone_number, invite_code, created_at,
                               inviter_id, invited_by, invited_at)
         SELECT {id}, '+' || ({FIRST} + {APART} * place), {code}, {came},
                CASE WHEN place % 3 = 1 THEN {inviter} END,
                CASE WHEN place % 3 = 1 THEN 'abcdef' END,
                CASE WHEN place % 3 = 1 THEN {came} + 60000 END
         FROM (SELECT n, place, (place * 7 % {third} * 3 + 2) * {back} % {users} AS inviter
               FROM (SELECT n, n * {STRIDE} % {users} AS place
                     FROM generate_series(0::bigint, {users} - 1) AS n) AS places) AS inviters"
    )
}

/// What undoes the stride: the number of the user at a place is the place times this.
fn inverse(users: u64) -> u64 {
    let stride = STRIDE % users;
    // A power of ten has few factors: the order of the stride divides it.
    let mut back = 1;
    while back * stride % users != 1 {
        back = back * stride % users;
    }
    back
}

fn followed_profiles(now: i64, users: u64) -> String {
    let (id, code) = (
        followed_id(now, "n"),
        invite_code(&format!("({users} + n)")),
    );
    format!(
        "INSERT INTO profiles (user_id, phone_number, invite_code, created_at)
         SELECT {id}, '+' || ({FIRST_FOLLOWED} + n), {code}, {}
         FROM generate_series(0::bigint, {FOLLOWED} - 1) AS n",
        now - 99 * DAY
    )
}

/// `each` followers for `count` users from number `first` on. They came one after
/// the other, and entered the code at any time: those who are listed together lie
/// far apart.
fn followers(
    now: i64,
    (first, count, each): (u64, u64, u64),
    (begin, during): (i64, i64),
    first_code: u64,
) -> String {
    let all = count * each;
    let came = format!("({begin} + n * {during} / {all})");
    let id = uuid_v7(&came, &format!("'f{first} ' || n"));
    let inviter = followed_id(now, &format!("({first} + n % {count})"));
    let code = invite_code(&format!("({first_code} + n)"));
    format!(
        "INSERT INTO profiles (user_id, phone_number, invite_code, created_at,
                               inviter_id, invited_by, invited_at)
         SELECT {id}, '+' || ({FIRST_FOLLOWER} + {first_code} + n), {code}, {came},
                {inviter}, 'abcdef', {begin} + (n * {STRIDE} % {all}) * {during} / {all}
         FROM generate_series(0::bigint, {all} - 1) AS n"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_comes_once_and_neighbours_are_far_apart() {
        let places: Vec<u64> = (0..10_000).map(|turn| spread_out(turn, 10_000)).collect();
        assert_eq!(places.iter().collect::<HashSet<_>>().len(), 10_000);
        let far = places
            .windows(2)
            .filter(|two| two[0].abs_diff(two[1]) > 100);
        assert_eq!(far.count(), 9_999);
        assert_eq!(spread_out(10_001, 10_000), places[1]);
    }

    #[test]
    fn the_stride_is_undone() {
        for users in [10_000, 1_000_000, 10_000_000] {
            let back = inverse(users);
            assert!((0..100).all(|n| n * STRIDE % users * back % users == n));
        }
    }

    #[test]
    fn a_new_number_is_nobodys() {
        assert_eq!(phone(3), "+77000000030");
        assert_eq!(new_phone(3), "+77000000035");
        assert_ne!(new_phone(3), phone(4));
    }
}
