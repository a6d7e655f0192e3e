//! Tables by the first digits of a number.
