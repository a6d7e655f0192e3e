//! The embedded default, SQLite in a data directory, loses nothing that it has
//! acknowledged.

mod backup;
mod calls;
mod clients;
mod crash;
mod full_disk;
