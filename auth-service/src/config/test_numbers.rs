//! The settings of test numbers.

use clap::Args;
use kit::{
    clock::UnixMillis,
    settings::{SettingsError, required},
};

use crate::test_numbers::TestNumbers;

/// Numbers with a fixed code. Clap does not parse them: its complaint would repeat
/// them.
#[derive(Args, Clone)]
pub struct TestNumberSettings {
    /// Numbers to which nothing is sent, with their codes:
    /// `+77000000001=1234,+77000000002=567890`. No limit counts for them
    #[arg(long, env = "AUTH_TEST_NUMBERS", hide_env_values = true)]
    pub auth_test_numbers: Option<String>,
    /// The last day on which they are test numbers, in UTC, as in 2026-12-31: at
    /// most 366 days after the start
    #[arg(long, env = "AUTH_TEST_NUMBERS_UNTIL")]
    pub auth_test_numbers_until: Option<String>,
}

impl std::fmt::Debug for TestNumberSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TestNumberSettings")
    }
}

impl TestNumberSettings {
    /// The numbers, as of now.
    pub(super) fn numbers(&self, now: UnixMillis) -> Result<TestNumbers, SettingsError> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let Some(numbers) = set(&self.auth_test_numbers) else {
            return Ok(TestNumbers::default());
        };
        let until = required(
            set(&self.auth_test_numbers_until),
            "AUTH_TEST_NUMBERS_UNTIL",
            "the last day of AUTH_TEST_NUMBERS, as in 2026-12-31; their codes are fixed, \
             and must not stay so by oversight",
        )?;
        TestNumbers::read(&numbers, &until, now).map_err(SettingsError)
    }
}
