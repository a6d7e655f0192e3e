//! A page of followers, as one row has it.
//!
//! The database makes one text of the numbers: a row for each costs it, the driver
//! and this service several times as much as reading it does. The text has one number
//! more than the page where there are more, and only then it is looked up where the
//! page ends.

use database::{BatchStatement, Error, Row};
use kit::clock::UnixMillis;
use uuid::Uuid;

use crate::page_token::Position;

/// Between two numbers: none contains it.
const SEPARATOR: char = ',';

/// The most followers that are read at once.
pub const LONGEST_PAGE: u32 = 1_000;

/// The statement of [`super::ProfileStore::profile`] for all who ask for the longest
/// page, on which also a benchmark runs. Where there is one number more than that it has
/// not been told where the page ends, and the next one tells.
pub static WITH_LONGEST_PAGE: BatchStatement = BatchStatement::new(
    "WITH asked (user_id) AS (VALUES ($1))
     SELECT own.user_id, own.phone_number, own.invite_code, own.invited_by, own.created_at,
            (SELECT string_agg(phone_number, ',') FROM (
                 SELECT phone_number FROM profiles WHERE inviter_id = own.user_id
                 ORDER BY invited_at, user_id LIMIT 1001
             ) AS listed) AS phone_numbers
     FROM asked JOIN profiles AS own ON own.user_id = asked.user_id
     WHERE own.erased_at IS NULL",
    "user_id",
);

/// The same for a page of any length, for one caller.
///
/// `OFFSET` counts within the page alone: it ends a thousand entries from where it began
/// at the most, and it begins at a key.
///
/// The numbers are in order because the subquery is, which is cut and read by nothing
/// but the aggregate: both engines hand it on as it comes. Sorting once more inside the
/// aggregate takes PostgreSQL 15 longer than everything else here.
pub(super) const PROFILE: &str = "\
    WITH page AS (
        SELECT string_agg(phone_number, ',') AS phone_numbers, count(*) AS found FROM (
            SELECT phone_number FROM profiles WHERE inviter_id = $1
            ORDER BY invited_at, user_id LIMIT $2 + 1
        ) AS listed
    )
    SELECT own.phone_number, own.invite_code, own.invited_by, own.created_at,
           page.phone_numbers, ending.invited_at, ending.user_id
    FROM profiles AS own CROSS JOIN page LEFT JOIN (
        SELECT invited_at, user_id FROM profiles
        WHERE inviter_id = $1 AND (SELECT found FROM page) > $2
        ORDER BY invited_at, user_id LIMIT 1 OFFSET $2 - 1
    ) AS ending ON TRUE
    WHERE own.user_id = $1 AND own.erased_at IS NULL";

/// The same from a position on, without the profile. The profile's own has no position:
/// every entry that is read would be compared with it.
pub(super) const FOLLOWERS: &str = "\
    WITH page AS (
        SELECT string_agg(phone_number, ',') AS phone_numbers, count(*) AS found FROM (
            SELECT phone_number FROM profiles
            WHERE inviter_id = $1 AND (invited_at, user_id) > ($3, $4)
            ORDER BY invited_at, user_id LIMIT $2 + 1
        ) AS listed
    )
    SELECT page.phone_numbers, ending.invited_at, ending.user_id
    FROM profiles AS own CROSS JOIN page LEFT JOIN (
        SELECT invited_at, user_id FROM profiles
        WHERE inviter_id = $1 AND (invited_at, user_id) > ($3, $4)
          AND (SELECT found FROM page) > $2
        ORDER BY invited_at, user_id LIMIT 1 OFFSET $2 - 1
    ) AS ending ON TRUE
    WHERE own.user_id = $1 AND own.erased_at IS NULL";

/// Some of a user's followers, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followers {
    /// Their numbers, one after the other.
    listed: String,
    /// Where the list goes on, if it does.
    pub next: Option<Position>,
}

impl Followers {
    /// Their numbers, in E.164.
    pub fn phone_numbers(&self) -> impl Iterator<Item = &str> {
        // `split` would make one empty number of an empty text.
        self.listed.split_terminator(SEPARATOR)
    }

    /// Reads what the statements above found.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        let listed: Option<String> = row.get("phone_numbers")?;
        let (at, user_id): (Option<i64>, Option<Uuid>) =
            (row.get("invited_at")?, row.get("user_id")?);
        let next = at.zip(user_id).map(|(at, user_id)| Position {
            invited_at: UnixMillis(at),
            user_id,
        });
        Ok(Self::cut(listed.unwrap_or_default(), next))
    }

    /// Reads what [`WITH_LONGEST_PAGE`] found; `None` where there is more.
    pub(super) fn all_from_row(row: &Row) -> Result<Option<Self>, Error> {
        let listed: Option<String> = row.get("phone_numbers")?;
        Ok(Self::all(listed.unwrap_or_default()))
    }

    fn all(listed: String) -> Option<Self> {
        let separators = listed.matches(SEPARATOR).count();
        // One less than there are numbers.
        (separators < LONGEST_PAGE as usize).then(|| Self::cut(listed, None))
    }

    /// Takes away the number that is one more than the page, where the list goes on.
    fn cut(mut listed: String, next: Option<Position>) -> Self {
        if next.is_some() {
            listed.truncate(listed.rfind(SEPARATOR).unwrap_or(0));
        }
        Self { listed, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_only_if_there_is_more() {
        let numbers = |listed: &str, next| -> Vec<String> {
            let page = Followers::cut(listed.to_owned(), next);
            assert_eq!(page.next, next);
            page.phone_numbers().map(str::to_owned).collect()
        };
        let more = Some(Position::START);
        assert_eq!(numbers("", None), [] as [&str; 0]);
        assert_eq!(numbers("+1", None), ["+1"]);
        assert_eq!(numbers("+1,+2", None), ["+1", "+2"]);
        assert_eq!(numbers("+1,+2,+3", more), ["+1", "+2"]);
        assert_eq!(numbers("+1,+2", more), ["+1"]);
    }

    #[test]
    fn the_longest_page_is_all_unless_there_is_one_number_more() {
        let numbers = |count: usize| vec!["+7"; count].join(",");
        let most = LONGEST_PAGE as usize;
        for count in [0, 1, most - 1, most] {
            let page = Followers::all(numbers(count)).unwrap();
            assert_eq!((page.phone_numbers().count(), page.next), (count, None));
        }
        assert_eq!(Followers::all(numbers(most + 1)), None);
        // The statement says so with a number of its own.
        let limit = format!("LIMIT {}\n", most + 1);
        assert!(WITH_LONGEST_PAGE.sql().contains(&limit));
    }
}
