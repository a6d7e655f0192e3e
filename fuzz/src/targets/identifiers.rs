//! What people and apps send to name something.

use auth_service::{
    challenges::ChallengeId,
    code::Code,
    phone::{PhoneCheck, PhoneNumber},
};
use kit::clock::UnixMillis;
use profile_service::{invite_code::InviteCode, page_token::Position};
use uuid::Uuid;

use super::text;

/// What is taken is E.164, and taken again, stays the same: one phone has one
/// spelling.
pub(crate) fn phone(data: &[u8]) -> bool {
    let input = text(data);
    let possible = PhoneNumber::parse(&input, PhoneCheck::Possible);
    let valid = PhoneNumber::parse(&input, PhoneCheck::Valid);
    for number in [&possible, &valid].into_iter().flatten() {
        let e164 = number.as_str();
        assert!(is_e164(e164), "{e164}");
        assert!(input.is_ascii() && input.starts_with('+'));
        let shown = format!("{number:?}");
        let hidden = shown.matches('*').count();
        assert_eq!(
            (shown.len(), hidden),
            (e164.len(), e164.len().saturating_sub(5))
        );
    }
    for (number, check) in [
        (&possible, PhoneCheck::Possible),
        (&valid, PhoneCheck::Possible),
        (&valid, PhoneCheck::Valid),
    ] {
        if let Ok(number) = number {
            let again = PhoneNumber::parse(number.as_str(), check);
            assert_eq!(again.as_ref(), Ok(number), "{check:?}");
        }
    }
    if let Ok(number) = &valid {
        assert_eq!(possible.as_ref(), Ok(number), "valid, but not possible");
    }
    possible.is_ok()
}

fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
}

/// A code is 4 to 10 ASCII digits, and nothing else is.
pub(crate) fn code(data: &[u8]) -> bool {
    let input = text(data);
    let is_code = (4..=10).contains(&data.len()) && data.iter().all(u8::is_ascii_digit);
    let parsed = Code::parse(&input);
    assert_eq!(parsed.is_some(), is_code);
    if let Some(code) = parsed {
        assert_eq!(code.digits(), input);
        assert_eq!(format!("{code:?}"), "Code");
    }
    is_code
}

/// A challenge has one name, of 24 characters.
pub(crate) fn challenge_id(data: &[u8]) -> bool {
    let input = text(data);
    let Some(id) = ChallengeId::parse(&input) else {
        return false;
    };
    assert_eq!(id.to_string(), input);
    assert_eq!(input.len(), 24);
    assert_eq!(id.slot().to_string().len(), 4);
    assert_eq!(format!("{id:?}"), "ChallengeId");
    true
}

/// An invite code is six ASCII letters and digits, and nothing else is.
pub(crate) fn invite_code(data: &[u8]) -> bool {
    let input = text(data);
    let is_code = data.len() == 6 && data.iter().all(u8::is_ascii_alphanumeric);
    let parsed = InviteCode::parse(&input);
    assert_eq!(parsed.is_some(), is_code);
    if let Some(code) = parsed {
        assert_eq!(code.as_str(), input);
    }
    is_code
}

/// A place in a list has one token, and every place has one.
pub(crate) fn page_token(data: &[u8]) -> bool {
    if let Some((time, rest)) = data.split_first_chunk::<8>()
        && let Some((id, _)) = rest.split_first_chunk::<16>()
    {
        let position = Position {
            invited_at: UnixMillis(i64::from_be_bytes(*time)),
            user_id: Uuid::from_bytes(*id),
        };
        let token = position.to_token();
        assert_eq!(Position::from_token(&token), Some(position));
    }
    let input = text(data);
    let Some(position) = Position::from_token(&input) else {
        return false;
    };
    if input.is_empty() {
        assert_eq!(position, Position::START);
    } else {
        assert_eq!(position.to_token(), input);
    }
    true
}
