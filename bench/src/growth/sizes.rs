//! What tables and indexes take, as PostgreSQL says: whichever there are.

use serde_json::{Value, json};
use testkit::PrivatePostgres;

use crate::number::number;

/// What PostgreSQL reads and keeps at once, in bytes.
const PAGE: f64 = 8_192.0;

/// A table or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    /// Whose it is; its own name if it is a table.
    pub(super) table: String,
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Rows of the table.
    pub(super) rows: u64,
}

impl Relation {
    /// Bytes of a row or of its entry, with all that is free between them.
    pub(super) fn each(&self) -> f64 {
        number(self.bytes) / number(self.rows.max(1))
    }

    /// The part of it that is touched when this share of its rows is, in no order:
    /// a page is, unless none of its rows is.
    pub(super) fn touched(&self, share: f64) -> f64 {
        let rows_of_a_page = PAGE / self.each().max(1.0);
        1.0 - (1.0 - share).powf(rows_of_a_page)
    }

    pub(super) fn json(&self) -> Value {
        json!({"table": self.table, "name": self.name, "bytes": self.bytes, "rows": self.rows})
    }
}

/// All tables and indexes of a database that hold users' rows, each table before
/// its indexes.
pub(super) fn relations(postgres: &PrivatePostgres, url: &str) -> Vec<Relation> {
    const SQL: &str = "\
        SELECT tables.relname, each.relname, pg_relation_size(each.oid)
        FROM pg_class AS tables
        JOIN (SELECT oid, oid AS of_table, relname, 0 AS place FROM pg_class
              UNION ALL
              SELECT indexrelid, indrelid, relname, 1
              FROM pg_index JOIN pg_class ON oid = indexrelid) AS each
            ON each.of_table = tables.oid
        WHERE tables.relkind = 'r' AND tables.relnamespace = 'public'::regnamespace
          AND tables.reltuples > 1000
        ORDER BY tables.relname, each.place, each.relname";
    let listed = parse(&postgres.psql(url, SQL));
    let mut counted: Option<(String, u64)> = None;
    listed
        .into_iter()
        .map(|mut relation| {
            let known = counted.take().filter(|(of, _)| *of == relation.table);
            let (table, rows) = known.unwrap_or_else(|| {
                let count = format!("SELECT count(*) FROM {}", relation.table);
                let rows = postgres.psql(url, &count).trim().parse();
                (relation.table.clone(), rows.unwrap_or(0))
            });
            relation.rows = rows;
            counted = Some((table, rows));
            relation
        })
        .collect()
}

/// `table|name|bytes`, a line each.
fn parse(printed: &str) -> Vec<Relation> {
    let each = |line: &str| {
        let mut words = line.split('|').map(ToOwned::to_owned);
        Some(Relation {
            table: words.next()?,
            name: words.next()?,
            bytes: words.next()?.trim().parse().ok()?,
            rows: 0,
        })
    };
    printed.lines().filter_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(bytes: u64, rows: u64) -> Relation {
        let name = || "users".to_owned();
        Relation {
            table: name(),
            name: name(),
            bytes,
            rows,
        }
    }

    #[test]
    fn what_psql_prints_is_read() {
        let read = parse("users|users|8192\nusers|users_pkey|16384\nno line\n");
        assert_eq!(read.len(), 2);
        assert_eq!((&*read[1].name, read[1].bytes), ("users_pkey", 16_384));
    }

    #[test]
    fn a_page_is_touched_unless_none_of_its_rows_is() {
        // Two rows of 4 KiB: (1 − 0.5)² are not touched.
        assert!((relation(8_192, 2).touched(0.5) - 0.75).abs() < 1e-9);
        // One row a page: as many pages as rows.
        assert!((relation(8_192, 1).touched(0.1) - 0.1).abs() < 1e-9);
        assert!(relation(100, 1).touched(1.0) > 0.999);
    }
}
