//! The signing key is changed while people use the product, and nobody notices.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::random::{SystemRandom, bytes};
use serde_json::json;

use crate::common::{Product, phone};

/// An Ed25519 key in PKCS#8: RFC 8410, section 7.
fn key() -> String {
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(bytes::<32>(&SystemRandom::default()));
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

async fn published(product: &Product) -> Vec<String> {
    let keys = product.get("/.well-known/jwks.json", None).await.json();
    let ids = keys["keys"].as_array().unwrap().iter();
    ids.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for a change of the file to be in force; it may take 5 s.
async fn until_published(product: &Product, wanted: impl Fn(&[String]) -> bool) {
    for _ in 0..100 {
        if wanted(&published(product).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not in force after 5 s: {:?}", published(product).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_ends_no_session_and_fails_no_request() {
    let (old, new) = (key(), key());
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| std::fs::write(file.path(), text).unwrap();
    write(&old);
    let flag = format!("--auth-signing-key={}", file.path().display());
    let product = Arc::new(Product::embedded(&[&flag]).await);

    let stop = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let client = {
        let (product, stop, rounds) = (product.clone(), stop.clone(), rounds.clone());
        tokio::spawn(async move {
            let (code, challenge) = product.request_code(&phone(0)).await;
            let mut pair = product.verify(&code, &challenge).await.json();
            while !stop.load(Ordering::Relaxed) {
                let token = pair["access_token"].as_str().unwrap().to_owned();
                product.profile(&token).await;
                let body = json!({ "refresh_token": pair["refresh_token"] });
                let path = "/api/v1/auths/refresh/";
                let answer = product.send("POST", path, None, Some(body)).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                pair = answer.json();
                product
                    .profile(pair["access_token"].as_str().unwrap())
                    .await;
                product.profile(&token).await;
                let round = rounds.fetch_add(1, Ordering::Relaxed);
                let token = product.sign_in(&phone(1 + round % 50)).await;
                product.profile(&token).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };
    let first = published(&product).await;
    // Publish, then let it sign, then move the old one behind.
    write(&format!("{old}{new}"));
    until_published(&product, |kids| kids.len() == 2).await;
    write(&format!("{new}{old}"));
    until_published(&product, |kids| kids[0] != first[0]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    client.await.unwrap();
    assert!(rounds.load(Ordering::Relaxed) > 10);
}
