//! The embedded default, SQLite in a data directory, loses nothing that it has
//! acknowledged.

mod clients;
mod crash;
mod full_disk;
