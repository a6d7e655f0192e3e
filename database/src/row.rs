//! A row of an answer.

use sqlx::{
    ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type, postgres::PgRow, sqlite::SqliteRow,
};

use crate::Error;

/// A row of either engine.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// The value of the column of this name.
    ///
    /// # Errors
    /// When there is no such column, or it holds another type: a mismatch of
    /// statement and caller.
    pub fn get<T>(&self, column: &str) -> Result<T, Error>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
        for<'c> &'c str: ColumnIndex<PgRow> + ColumnIndex<SqliteRow>,
    {
        let value = match &self.0 {
            Inner::Postgres(row) => row.try_get(column),
            Inner::Sqlite(row) => row.try_get(column),
        };
        value.map_err(Error::from)
    }
}
