//! One text with places in it: `{code}`, and `{minutes}` for how long it lives.

use std::time::Duration;

/// A text that is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Code,
    Minutes,
}

/// What stands for the code; whatever has it is a text and no path.
pub(super) const CODE: &str = "{code}";
const MINUTES: &str = "{minutes}";

impl Template {
    /// Reads a text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(control) = text.chars().find(|each| each.is_control() && *each != '\n') {
            return Err(format!(
                "it has the control character U+{:04X} in it",
                u32::from(control)
            ));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (words, place) = rest.split_at(at);
            parts.push(Part::Words(words.to_owned()));
            let (part, length) = if place.starts_with(CODE) {
                (Part::Code, CODE.len())
            } else if place.starts_with(MINUTES) {
                (Part::Minutes, MINUTES.len())
            } else {
                let shown: String = place.chars().take(16).collect();
                return Err(format!(
                    "in '{shown}' there is a bracket that belongs to neither {CODE} nor {MINUTES}"
                ));
            };
            parts.push(part);
            rest = &place[length..];
        }
        parts.push(Part::Words(rest.to_owned()));
        if !parts.contains(&Part::Code) {
            return Err(format!("it has no {CODE} in it"));
        }
        Ok(Self(parts))
    }

    /// The text for a code that lives so long.
    pub(super) fn fill(&self, code: &str, lifetime: Duration) -> String {
        let minutes = minutes(lifetime).to_string();
        let part = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Code => code.to_owned(),
            Part::Minutes => minutes.clone(),
        };
        self.0.iter().map(part).collect()
    }
}

/// Whole minutes: nobody is promised more than there is, but for less than one.
fn minutes(lifetime: Duration) -> u64 {
    (lifetime.as_secs() / 60).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_MINUTES: Duration = Duration::from_secs(120);

    #[test]
    fn a_text_is_filled_in() {
        for (text, filled) in [
            ("{code}", "3613"),
            ("Code {code}, {minutes} min", "Code 3613, 2 min"),
            (
                "{code}{code}\n\n@example.com #{code}",
                "36133613\n\n@example.com #3613",
            ),
            ("Код: {code}.", "Код: 3613."),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fill("3613", TWO_MINUTES), filled, "{text}");
        }
    }

    #[test]
    fn a_wrong_text_is_told() {
        for (text, told) in [
            ("", "no {code}"),
            ("Hello", "no {code}"),
            ("{minutes}", "no {code}"),
            ("{code} {name}", "'{name}'"),
            ("{Code} {code}", "'{Code} {code}'"),
            ("{code} }", "'}'"),
            ("{code} {", "'{'"),
            ("{{code}}", "'{{code}}'"),
            ("{code}\t", "U+0009"),
            ("{code}\0", "U+0000"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn minutes_are_whole_and_at_least_one() {
        for (seconds, told) in [(1, 1), (59, 1), (60, 1), (119, 1), (120, 2), (3600, 60)] {
            assert_eq!(minutes(Duration::from_secs(seconds)), told, "{seconds}");
        }
    }
}
