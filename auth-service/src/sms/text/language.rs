//! Languages: their tags, and what a person reads.

/// The longest list that is read, in bytes, and the most languages of it. A
/// browser names five or so.
const LONGEST: usize = 512;
const MOST: usize = 32;

/// A language's tag in small letters, as in `en` or `pt-br`.
pub(super) fn tag(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let first = parts.next()?;
    let letters = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let fits = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (letters && text.len() <= 35 && parts.all(fits)).then(|| text.to_ascii_lowercase())
}

/// Which of `known` (there is one at least) the person reads, as told by an
/// Accept-Language (RFC 9110, section 12.5.4). What is not understood of it counts
/// as not said.
pub(super) fn choose(accepted: &str, known: &[&str]) -> usize {
    let wishes = wishes(accepted);
    let refused = |index: usize| {
        let mut refusals = wishes.iter().filter(|(_, weight)| *weight == 0);
        refusals.any(|(range, _)| begins(known[index], range))
    };
    // Something has to be sent, be it in a language that was refused.
    let any = || (0..known.len()).find(|&index| !refused(index)).unwrap_or(0);
    let mut wanted = wishes.iter().filter(|(_, weight)| *weight > 0);
    wanted
        .find_map(|(range, _)| match range.as_str() {
            "*" => Some(any()),
            range => look_up(range, known),
        })
        .unwrap_or_else(any)
}

/// The ranges and their weights in thousandths, the dearest first.
fn wishes(accepted: &str) -> Vec<(String, u16)> {
    if accepted.len() > LONGEST {
        return Vec::new();
    }
    let mut wishes: Vec<_> = accepted.split(',').take(MOST).filter_map(wish).collect();
    // Stable: of the same weight, the first comes first.
    wishes.sort_by_key(|&(_, weight)| std::cmp::Reverse(weight));
    wishes
}

fn wish(text: &str) -> Option<(String, u16)> {
    let (range, weight) = match text.split_once(';') {
        None => (text, 1000),
        Some((range, parameter)) => {
            let parameter = parameter.trim_ascii();
            let value = parameter.strip_prefix(['q', 'Q'])?.strip_prefix('=')?;
            (range, thousandths(value)?)
        }
    };
    let range = range.trim_ascii();
    let range = if range == "*" {
        range.to_owned()
    } else {
        tag(range)?
    };
    Some((range, weight))
}

/// A weight: `0` or `1`, and up to three digits after a point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

/// The language itself, or with ever less of its tag (RFC 4647, section 3.4):
/// en-GB, then en. Then one that is more exact: pt-BR for pt.
fn look_up(range: &str, known: &[&str]) -> Option<usize> {
    let mut shorter = range;
    loop {
        if let Some(index) = known.iter().position(|each| *each == shorter) {
            return Some(index);
        }
        match shorter.rsplit_once('-') {
            Some((start, _)) => shorter = start,
            None => break,
        }
    }
    known.iter().position(|each| begins(each, range))
}

/// Whether a tag is in a range.
fn begins(tag: &str, range: &str) -> bool {
    let rest = tag.strip_prefix(range);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_the_person_likes_best_is_chosen() {
        let known = ["en", "ru", "pt-br", "zh-hant"];
        for (accepted, expected) in [
            ("", "en"),
            ("ru", "ru"),
            ("RU", "ru"),
            ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", "ru"),
            ("en-GB", "en"),
            ("en-GB-oxendict", "en"),
            ("de", "en"),
            ("de-CH, ru;q=0.1", "ru"),
            ("en;q=0.5, ru", "ru"),
            ("en;q=0.5,ru;q=0.501", "ru"),
            ("en;q=1.000,ru;q=1", "en"),
            ("ru;q=1.0,en;q=1", "ru"),
            (" ru ; q=0.5 ", "ru"),
            ("ru;Q=0.5", "ru"),
            ("pt", "pt-br"),
            ("pt-PT", "en"),
            ("pt-BR", "pt-br"),
            ("zh-Hant-TW", "zh-hant"),
            // Anything else than that.
            ("en;q=0, *", "ru"),
            ("en;q=0", "ru"),
            ("*, ru;q=0.5", "en"),
            ("*;q=0.1, ru;q=0.5", "ru"),
            ("*;q=0", "en"),
            ("en;q=0,ru;q=0,pt;q=0,zh;q=0", "en"),
            ("de, *", "en"),
            // What is no language is not said.
            (",,,;q=1,ru", "ru"),
            ("ru;q=2", "en"),
            ("ru;q=1.001", "en"),
            ("ru;q=0.1234", "en"),
            ("ru;q=-1", "en"),
            ("ru;q=", "en"),
            ("ru;q", "en"),
            ("ru;v=1", "en"),
            ("ru;q=1;q=0", "en"),
            ("r\u{443}", "en"),
            ("ru_RU", "en"),
            ("-ru", "en"),
            ("ru-", "en"),
            ("r", "en"),
            ("english, ru", "ru"),
            ("toolonglanguage, ru", "ru"),
        ] {
            assert_eq!(known[choose(accepted, &known)], expected, "{accepted:?}");
        }
    }

    #[test]
    fn a_list_is_read_only_so_far() {
        let known = ["en", "ru"];
        let chosen = |accepted: &str| known[choose(accepted, &known)];
        assert_eq!(chosen(&format!("{}ru", "de,".repeat(31))), "ru");
        assert_eq!(chosen(&format!("{}ru", "de,".repeat(32))), "en");
        assert_eq!(chosen(&format!("ru{}", " ".repeat(510))), "ru");
        assert_eq!(chosen(&format!("ru{}", " ".repeat(511))), "en");
    }
}
