//! The sentences of the API document, to the byte.
//!
//! The lifetime of codes is a setting, and two of them speak of it.

/// `GET /api/v1/auths/`.
pub(crate) const USE_POST_AND_PATCH: &str = "use POST and PATCH methods";
/// An invite code was activated.
pub(crate) const INVITER_ADDED: &str = "Inviter added!";
/// An invite code was activated before.
pub(crate) const INVITER_ALREADY_SET: &str = "ERROR: you already have inviter!";
/// The invite code is the user's own.
pub(crate) const INVITE_CODE_OWN: &str = "ERROR: you can't use your own invite code!";

/// A code was sent, and is accepted for `lifetime` seconds. `simulated` is the
/// code where no message is really sent.
pub(crate) fn code_sent(simulated: Option<&str>, lifetime: u32) -> String {
    let sent = match simulated {
        Some(code) => format!("in sms.(use {code})"),
        None => "in sms".to_owned(),
    };
    let time = in_english(lifetime);
    format!("We will sent code to you {sent}, you have {time} to confirm your number!")
}

/// A code was not accepted; codes live for `lifetime` seconds.
pub(crate) fn code_not_accepted(lifetime: u32) -> String {
    let time = in_russian(lifetime);
    format!("Пользователь не найден, возможно вы ждали дольше {time}. Вернитесь на предыдущий шаг.")
}

/// Nobody has the invite code.
pub(crate) fn invite_code_not_found(code: &str) -> String {
    format!("ERROR: the client with code: {code} not found.")
}

/// Whole minutes as minutes, anything else as seconds.
enum Span {
    Minutes(u32),
    Seconds(u32),
}

impl Span {
    fn of(seconds: u32) -> Self {
        if seconds > 0 && seconds.is_multiple_of(60) {
            Self::Minutes(seconds / 60)
        } else {
            Self::Seconds(seconds)
        }
    }
}

fn in_english(seconds: u32) -> String {
    match Span::of(seconds) {
        Span::Minutes(1) => "1 minute".to_owned(),
        Span::Minutes(count) => format!("{count} minutes"),
        Span::Seconds(1) => "1 second".to_owned(),
        Span::Seconds(count) => format!("{count} seconds"),
    }
}

/// In the genitive, which "дольше" takes: its singular goes with numbers that
/// end in 1 but not in 11.
fn in_russian(seconds: u32) -> String {
    let (count, one, many) = match Span::of(seconds) {
        Span::Minutes(count) => (count, "минуты", "минут"),
        Span::Seconds(count) => (count, "секунды", "секунд"),
    };
    let singular = count % 10 == 1 && count % 100 != 11;
    format!("{count} {}", if singular { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_sentences() {
        assert_eq!(
            code_sent(Some("3613"), 120),
            "We will sent code to you in sms.(use 3613), you have 2 minutes to confirm your number!"
        );
        assert_eq!(
            code_sent(None, 120),
            "We will sent code to you in sms, you have 2 minutes to confirm your number!"
        );
        assert_eq!(
            code_not_accepted(120),
            "Пользователь не найден, возможно вы ждали дольше 2 минут. Вернитесь на предыдущий шаг."
        );
        assert_eq!(
            invite_code_not_found("2461"),
            "ERROR: the client with code: 2461 not found."
        );
    }

    #[test]
    fn other_lifetimes_are_put_into_words() {
        let rows = [
            (0, "0 seconds", "0 секунд"),
            (1, "1 second", "1 секунды"),
            (2, "2 seconds", "2 секунд"),
            (21, "21 seconds", "21 секунды"),
            (60, "1 minute", "1 минуты"),
            (90, "90 seconds", "90 секунд"),
            (111, "111 seconds", "111 секунд"),
            (300, "5 minutes", "5 минут"),
            (660, "11 minutes", "11 минут"),
            (1260, "21 minutes", "21 минуты"),
            (6660, "111 minutes", "111 минут"),
        ];
        for (seconds, english, russian) in rows {
            assert_eq!(in_english(seconds), english);
            assert_eq!(in_russian(seconds), russian);
        }
    }
}
