//! The text of a statement for one row, and for several.

use std::{fmt::Write as _, sync::OnceLock};

/// How many rows a statement takes at the most.
pub(super) const MOST: usize = 16;
/// How many it takes otherwise: a text for each count would be one more plan for each
/// on every connection.
const SIZES: [usize; 7] = [2, 3, 4, 6, 8, 12, MOST];
/// Where the row begins that is repeated.
const LIST: &str = "VALUES (";

/// A statement that does for each of several rows of parameters what it does for one.
///
/// It is written for one, `… VALUES ($1, $2) …`; for more, what is in these brackets is
/// repeated and counted on. There are no other parameters. What it returns names the row
/// that it is about by the first parameter, a uuid.
pub struct BatchStatement {
    sql: &'static str,
    names: &'static str,
    longer: OnceLock<[String; SIZES.len()]>,
}

impl BatchStatement {
    /// A statement whose answer has the first parameter in the column of this name.
    pub const fn new(sql: &'static str, names: &'static str) -> Self {
        Self {
            sql,
            names,
            longer: OnceLock::new(),
        }
    }

    /// Its text for one row.
    pub const fn sql(&self) -> &'static str {
        self.sql
    }

    /// The column that says which row it is about.
    pub(super) fn names(&self) -> &'static str {
        self.names
    }

    /// Its text for so many rows, one of [`fitting`]'s counts.
    pub(super) fn text(&'static self, rows: usize) -> &'static str {
        let longer = self
            .longer
            .get_or_init(|| SIZES.map(|rows| repeated(self.sql, rows)));
        let place = SIZES.iter().position(|&size| size == rows);
        place.map_or(self.sql, |place| &longer[place])
    }
}

/// The most rows, of those that wait, for which there is a text.
pub(super) fn fitting(waiting: usize) -> usize {
    let fitting = SIZES.iter().rev().find(|&&size| size <= waiting);
    fitting.map_or(waiting.min(1), |&size| size)
}

/// The statement with its row of parameters so many times.
fn repeated(sql: &str, rows: usize) -> String {
    let Some((before, (row, after))) = sql.split_once(LIST).and_then(|(before, rest)| {
        let row = rest.split_once(')')?;
        Some((before, row))
    }) else {
        return sql.to_owned();
    };
    let width = row.split(',').count();
    let mut text = format!("{before}{LIST}{row}");
    for number in width + 1..=width * rows {
        let between = if number % width == 1 || width == 1 {
            "), ("
        } else {
            ", "
        };
        // Writing into a text does not fail.
        let _ = write!(text, "{between}${number}");
    }
    text + ")" + after
}

#[cfg(test)]
mod tests {
    use super::*;

    static TWO: BatchStatement =
        BatchStatement::new("INSERT INTO a VALUES ($1, $2) RETURNING id", "id");
    static ONE: BatchStatement = BatchStatement::new("INSERT INTO a VALUES ($1)", "id");

    #[test]
    fn the_row_is_repeated_and_its_parameters_are_counted_on() {
        assert_eq!(TWO.text(1), TWO.sql());
        assert_eq!(
            TWO.text(2),
            "INSERT INTO a VALUES ($1, $2), ($3, $4) RETURNING id"
        );
        assert_eq!(ONE.text(4), "INSERT INTO a VALUES ($1), ($2), ($3), ($4)");
        assert!(TWO.text(MOST).ends_with("($31, $32) RETURNING id"));
    }

    #[test]
    fn as_many_are_taken_as_there_is_a_text_for() {
        let fitting = [0, 1, 2, 3, 5, 7, 8, 15, 16, 5_000].map(fitting);
        assert_eq!(fitting, [0, 1, 2, 3, 4, 6, 8, 12, 16, 16]);
    }
}
