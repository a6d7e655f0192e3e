//! What an operator sets. Nobody attacks here, but a wrong value must be told
//! as one, without a panic and without showing a secret.

use std::{fmt::Debug, str::FromStr, sync::LazyLock};

use auth_service::{challenges::ChallengeStoreUrl, signing_keys::SigningKeys};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use database::DatabaseUrl;
use http::Uri;
use kit::{
    client::{Outgoing, ServiceUrls, channel},
    cors::CorsOrigins,
    settings::SecretKey,
};
use ring::signature::KeyPair as _;
use tokio::runtime::{Builder, Runtime};

use super::{text, tokens};

/// What stands in URLs of stores.
pub(crate) const URL_WORDS: &[&str] = &[
    "postgres://",
    "postgresql://",
    "sqlite://",
    "redis://",
    "rediss://",
    "redis+cluster://",
    "memory://",
    PASSWORD,
    ":hunter2@",
    "?sslmode=",
    "?host=",
    "?protocol=resp3",
    "&",
    "%2F",
    "%ff",
    "[::1]",
    ":65536",
    "#insecure",
];

/// The password in the seeds.
const PASSWORD: &str = "hunter2";

/// Origins have a scheme and no path, and their layer can be made.
pub(crate) fn cors_origins(data: &[u8]) -> bool {
    let Ok(origins) = text(data).parse::<CorsOrigins>() else {
        return false;
    };
    let _ = origins.layer();
    if let CorsOrigins::List(list) = origins {
        for origin in list {
            let origin = text(origin.as_bytes());
            let host = origin.split_once("://").map(|(_, host)| host);
            assert!(host.is_some_and(|host| !host.is_empty()), "{origin:?}");
            assert!(!origin.contains(',') && origin.trim() == origin);
        }
    }
    true
}

/// Services have a host, and a channel to them can be made.
pub(crate) fn service_urls(data: &[u8]) -> bool {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());
    kit::crypto::install();
    let input = text(data);
    let Ok(urls) = input.parse::<ServiceUrls>() else {
        return false;
    };
    for entry in input.split(',').map(str::trim) {
        if !entry.is_empty() {
            let url: Uri = entry.parse().unwrap();
            assert!(matches!(url.scheme_str(), Some("http" | "https")));
            assert!(url.host().is_some_and(|host| !host.is_empty()), "{entry}");
        }
    }
    RUNTIME.block_on(async {
        drop(channel("service", &urls, Outgoing::default()));
        tokio::task::yield_now().await;
    });
    true
}

/// A password shows neither in `Debug` nor in the complaint.
pub(crate) fn database_url(data: &[u8]) -> bool {
    hides_its_password::<DatabaseUrl>(&text(data))
}

/// The same.
pub(crate) fn challenge_store_url(data: &[u8]) -> bool {
    hides_its_password::<ChallengeStoreUrl>(&text(data))
}

fn hides_its_password<U: FromStr<Err = &'static str> + Debug>(input: &str) -> bool {
    let Ok(url) = input.parse::<U>() else {
        return false;
    };
    let authority = input
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '\\', '?', '#']).next());
    let (user, host) = authority
        .and_then(|authority| authority.rsplit_once('@'))
        .unwrap_or_default();
    let secret = user.contains(PASSWORD) && !host.contains(PASSWORD);
    let once = input.matches(PASSWORD).count() == 1;
    if secret && once && !input.starts_with("sqlite:") {
        let shown = format!("{url:?}");
        assert!(!shown.contains(PASSWORD), "{shown}");
    }
    true
}

/// A key is 32 bytes and is written as it is read.
pub(crate) fn secret_key(data: &[u8]) -> bool {
    let input = text(data);
    let Ok(key) = input.parse::<SecretKey>() else {
        return false;
    };
    assert_eq!(key.to_base64(), input.trim());
    assert_eq!(format!("{key:?}"), "SecretKey");
    true
}

/// Keys that were taken can sign, are published, and are found.
pub(crate) fn signing_keys(data: &[u8]) -> bool {
    kit::crypto::install();
    let Ok(keys) = SigningKeys::from_pem(&text(data)) else {
        return false;
    };
    let (kid, key) = keys.signing();
    assert_eq!(keys.jwks()[0].kid, kid);
    let public = URL_SAFE_NO_PAD.encode(key.public_key());
    assert_eq!(keys.jwks()[0].x, public, "the first key signs");
    for jwk in keys.jwks() {
        assert!(keys.public(&jwk.kid).is_some());
    }
    true
}

pub(crate) fn signing_keys_seeds() -> Vec<Vec<u8>> {
    let key = STANDARD.encode(tokens::private_key());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    vec![pem.clone().into_bytes(), pem.repeat(2).into_bytes()]
}
