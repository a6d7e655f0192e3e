//! What decides on the words of a message: the operator's texts and numbers, and
//! the languages that anybody may name.

use std::time::Duration;

use auth_service::{
    code::Code,
    sms::{segments::measure, text::Texts},
    test_numbers::TestNumbers,
};
use kit::clock::UnixMillis;

use super::{first_line, text};

/// 2026-11-25, at noon.
const NOW: UnixMillis = UnixMillis(1_795_608_000_000);
const LIFETIME: Duration = Duration::from_secs(120);

/// A file of texts, after a line of languages. Whatever is named there, somebody
/// gets a text with the code in it, and it is as long as was said at the start.
pub(crate) fn sms_texts(data: &[u8]) -> bool {
    let (languages, file) = first_line(data);
    let Ok(texts) = Texts::from_file(&text(file)) else {
        return false;
    };
    let code = Code::parse("9876543210").expect("a code");
    let longest: Vec<_> = texts.longest(LIFETIME).collect();
    let sent = texts.of_code(&code, LIFETIME, Some(&text(languages)));
    assert!(sent.text.contains(code.digits()));
    let length = measure(&sent.text);
    assert_eq!(sent.segments, length.segments);
    assert!(longest.iter().any(|(_, known)| *known == length));
    // A part has 67 units at the least, less one for a character that is not cut.
    assert!(length.segments <= length.units / 66 + 1);
    let default = texts.of_code(&code, LIFETIME, None);
    assert_eq!(measure(&default.text), longest[0].1);
    true
}

/// The last day, and after it the numbers. Of these nothing is told.
pub(crate) fn test_numbers(data: &[u8]) -> bool {
    let (until, numbers) = first_line(data);
    let numbers = text(numbers);
    match TestNumbers::read(&numbers, &text(until), NOW) {
        Ok(read) => {
            assert!((1..=100).contains(&read.codes().count()));
            true
        }
        Err(told) => {
            for run in numbers.split(|each: char| !each.is_ascii_digit()) {
                // The complaint has an example of its own.
                let secret = run.len() > 4 && !"77000000001".contains(run);
                assert!(!secret || !told.contains(run), "{told}");
            }
            false
        }
    }
}
