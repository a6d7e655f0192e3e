//! Providers in turn.
