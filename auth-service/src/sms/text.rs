//! What a message says.

use std::time::Duration;

use crate::code::Code;

/// A text as it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// The words.
    pub text: String,
    /// In how many segments they are sent.
    pub segments: u32,
}

/// The texts of all languages.
#[derive(Clone, Debug, Default)]
pub struct Texts {}

impl Texts {
    /// The text for a code that lives so long, in the first of `languages`
    /// (as in Accept-Language) that there is one in.
    pub fn of_code(&self, code: &Code, _lifetime: Duration, _languages: Option<&str>) -> Text {
        Text {
            text: format!("Your code: {}", code.digits()),
            segments: 1,
        }
    }
}
