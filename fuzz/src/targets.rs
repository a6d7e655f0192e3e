//! Everything that reads what others wrote.

mod gateway;
mod identifiers;
mod messages;
mod requests;
mod settings;
mod tokens;

use std::borrow::Cow;

use crate::Target;

/// How many inputs a target gets that takes microseconds.
const MANY: u32 = 20_000;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        read: identifiers::phone,
        inputs: 4_000,
        words: &["+7", "+44", "+1", "+39", "+54", "(0)", "-", "15", "8", "0"],
        ..files("phone")
    },
    Target {
        read: identifiers::code,
        ..files("code")
    },
    Target {
        read: identifiers::challenge_id,
        words: &["AAAA", "_", "-", "="],
        ..files("challenge_id")
    },
    Target {
        read: identifiers::invite_code,
        ..files("invite_code")
    },
    Target {
        read: identifiers::page_token,
        words: &["AAAA", "_", "-", "=", "gAAA", "f___"],
        ..files("page_token")
    },
    Target {
        read: tokens::refresh_token,
        seeds: tokens::refresh_token_seeds,
        ..files("refresh_token")
    },
    Target {
        read: tokens::access_token,
        seeds: tokens::access_token_seeds,
        inputs: 5_000,
        words: &["Bearer ", "eyJ", ".", "..", "="],
        ..files("access_token")
    },
    Target {
        read: tokens::access_claims,
        seeds: tokens::access_claims_seeds,
        inputs: 2_000,
        words: tokens::CLAIM_WORDS,
        ..files("access_claims")
    },
    Target {
        read: tokens::service_token,
        seeds: tokens::service_token_seeds,
        inputs: 5_000,
        words: &["eyJ", ".", "..", "="],
        ..files("service_token")
    },
    Target {
        read: tokens::service_claims,
        inputs: 5_000,
        words: tokens::CLAIM_WORDS,
        ..files("service_claims")
    },
    Target {
        read: requests::client_address,
        words: requests::ADDRESS_WORDS,
        ..files("client_address")
    },
    Target {
        read: requests::trusted_proxies,
        words: requests::ADDRESS_WORDS,
        ..files("trusted_proxies")
    },
    Target {
        read: requests::context,
        inputs: 10_000,
        words: &["S", "m", "u", "n", "H", "M", "99999999", "100000000"],
        ..files("context")
    },
    Target {
        read: settings::cors_origins,
        inputs: 10_000,
        words: &["*", "null", "https://", "://", "a.example", ":3000"],
        ..files("cors_origins")
    },
    Target {
        read: settings::service_urls,
        inputs: 5_000,
        words: &["http://", "https://", "://", ":50051", "[::1]", "@", "?"],
        ..files("service_urls")
    },
    Target {
        read: settings::database_url,
        inputs: 5_000,
        words: settings::URL_WORDS,
        ..files("database_url")
    },
    Target {
        read: settings::challenge_store_url,
        inputs: 5_000,
        words: settings::URL_WORDS,
        ..files("challenge_store_url")
    },
    Target {
        read: settings::secret_key,
        words: &["AAAA", "+", "/", "=", "_", "-"],
        ..files("secret_key")
    },
    Target {
        read: settings::signing_keys,
        seeds: settings::signing_keys_seeds,
        inputs: 2_000,
        words: &["-----BEGIN ", "-----END ", "PRIVATE KEY", "-----\n", "RSA "],
        ..files("signing_keys")
    },
    Target {
        read: messages::sms_texts,
        inputs: 5_000,
        words: &[
            "[en]",
            "[ru]\n",
            "{code}",
            "{minutes}",
            "{",
            "\n",
            ";q=0.5",
            ", ",
            "*",
            "-",
            "€",
        ],
        ..files("sms_texts")
    },
    Target {
        read: messages::test_numbers,
        inputs: 5_000,
        words: &["+7700", "=", ",", "-", "1234", "2026", "02-29", "\n"],
        ..files("test_numbers")
    },
    Target {
        read: gateway::requests,
        inputs: 1_500,
        words: gateway::WORDS,
        ..files("gateway_requests")
    },
    Target {
        read: gateway::bytes,
        inputs: 200,
        words: gateway::WORDS,
        ..files("gateway_bytes")
    },
];

/// A target whose seeds are files.
const fn files(name: &'static str) -> Target {
    Target {
        name,
        read: |_| false,
        inputs: MANY,
        words: &[],
        seeds: Vec::new,
    }
}

/// Bytes as text, as far as they are.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// The first line, and what comes after it.
fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}

/// The value of a future that never waits.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}
