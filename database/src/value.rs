//! A parameter of a statement.

use uuid::Uuid;

/// A parameter; `None` is NULL of that type, which PostgreSQL wants to know.
#[derive(Clone, Debug)]
pub enum Value {
    /// A `uuid`.
    Uuid(Option<Uuid>),
    /// A `text`.
    Text(Option<String>),
    /// A `bigint`.
    Int(Option<i64>),
    /// A `boolean`.
    Bool(Option<bool>),
    /// A `bytea`.
    Bytes(Option<Vec<u8>>),
}

macro_rules! values {
    ($($from:ty => $variant:ident, $convert:expr;)*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(Some($convert(value)))
            }
        }

        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}

values! {
    Uuid => Uuid, std::convert::identity;
    i64 => Int, std::convert::identity;
    bool => Bool, std::convert::identity;
    String => Text, std::convert::identity;
    &str => Text, str::to_owned;
    Vec<u8> => Bytes, std::convert::identity;
    &[u8] => Bytes, <[u8]>::to_vec;
}

/// Binds parameters to a query of either engine: the types are the same, but
/// sqlx has no name for "a query of any of my two databases".
macro_rules! bind {
    ($query:expr, $values:expr) => {
        $values.iter().fold($query, |query, value| match value {
            $crate::Value::Uuid(value) => query.bind(value),
            $crate::Value::Text(value) => query.bind(value.as_deref()),
            $crate::Value::Int(value) => query.bind(value),
            $crate::Value::Bool(value) => query.bind(value),
            $crate::Value::Bytes(value) => query.bind(value.as_deref()),
        })
    };
}

pub(crate) use bind;
