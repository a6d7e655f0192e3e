//! The settings of what messages say.

use std::time::Duration;

use clap::Args;
use kit::settings::SettingsError;

use crate::sms::text::Texts;

/// What messages say.
#[derive(Args, Clone, Debug)]
pub struct TextSettings {
    /// What messages say: a text with `{code}` in it, and `{minutes}` if it should
    /// tell how long that is accepted; `\n` is a new line. Or the path of a file
    /// that has a text for each language after a line such as `[en]`, the first
    /// being the default [default: a text in English and one in Russian]
    #[arg(long, env = "AUTH_SMS_TEMPLATE")]
    pub auth_sms_template: Option<String>,
    /// The most segments that a message may have with the longest code, 1 to 10:
    /// each is paid
    #[arg(long, env = "AUTH_SMS_MAX_SEGMENTS", default_value = "2",
          value_parser = clap::value_parser!(u32).range(1..=10))]
    pub auth_sms_max_segments: u32,
}

impl TextSettings {
    /// The texts, none of which gets too long for codes that live so long.
    pub(super) fn texts(&self, lifetime: Duration) -> Result<Texts, SettingsError> {
        let setting = self.auth_sms_template.as_deref();
        let texts = match setting.filter(|text| !text.is_empty()) {
            Some(setting) => Texts::read(setting),
            None => Texts::built_in(),
        };
        let wrong = |error| SettingsError(format!("AUTH_SMS_TEMPLATE: {error}"));
        let texts = texts.map_err(wrong)?;
        for (language, length) in texts.longest(lifetime) {
            if length.segments > self.auth_sms_max_segments {
                return Err(wrong(format!(
                    "the text in [{language}] takes {} segments in {} with the longest code, \
                     and AUTH_SMS_MAX_SEGMENTS is {}",
                    length.segments, length.encoding, self.auth_sms_max_segments
                )));
            }
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(template: &str, most: u32, lifetime: u64) -> Option<String> {
        let settings = TextSettings {
            auth_sms_template: Some(template.to_owned()),
            auth_sms_max_segments: most,
        };
        let read = settings.texts(Duration::from_secs(lifetime));
        read.err().map(|error| error.to_string())
    }

    #[test]
    fn a_text_that_takes_too_many_segments_is_a_wrong_setting() {
        let words = |count: usize| format!("{}{{code}}", "a".repeat(count));
        assert_eq!(complaint("", 1, 3600), None);
        assert_eq!(complaint(&words(150), 1, 120), None);
        let line = complaint(&words(151), 1, 120).unwrap();
        assert_eq!(
            line,
            "AUTH_SMS_TEMPLATE: the text in [*] takes 2 segments in GSM-7 with the longest code, \
             and AUTH_SMS_MAX_SEGMENTS is 1"
        );
        assert_eq!(complaint(&words(296), 2, 120), None);
        assert!(complaint(&words(297), 2, 120).is_some());
        // The minutes count too.
        let text = format!("{}{{minutes}}", words(149));
        assert_eq!(complaint(&text, 1, 120), None);
        assert!(complaint(&text, 1, 600).is_some());
        let line = complaint(&format!("{{code}}{}", "я".repeat(61)), 1, 120).unwrap();
        assert!(line.contains("2 segments in UCS-2"), "{line}");
        let line = complaint("{code} {name}", 2, 120).unwrap();
        assert!(line.starts_with("AUTH_SMS_TEMPLATE: in '{name}'"), "{line}");
    }
}
