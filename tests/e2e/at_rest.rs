//! No code and no token in clear in any store.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::common::{Product, phone};

/// What must not be found, in the forms in which a store could show it.
struct Secrets {
    codes: Vec<String>,
    tokens: Vec<String>,
}

fn half(bytes: &[u8]) -> u128 {
    u128::from_be_bytes(bytes.try_into().unwrap())
}

/// Uses everything that makes secrets; some challenges are left alive.
async fn use_it(product: &Product) -> Secrets {
    let mut secrets = Secrets {
        codes: Vec::new(),
        tokens: Vec::new(),
    };
    for each in 0..4 {
        let (code, challenge) = product.request_code(&phone(each)).await;
        let answer = product.verify(&code, &challenge).await;
        secrets.codes.push(code);
        let first = answer.json();
        let body = json!({ "refresh_token": first["refresh_token"] });
        let path = "/api/v1/auths/refresh/";
        let second = product.send("POST", path, None, Some(body)).await.json();
        for pair in [first, second] {
            let refresh = pair["refresh_token"].as_str().unwrap().to_owned();
            let raw = URL_SAFE_NO_PAD.decode(&refresh).unwrap();
            // Its secret part as PostgreSQL shows bytes.
            let secret: [u8; 32] = raw[16..48].try_into().unwrap();
            let hex = format!("{:032x}{:032x}", half(&secret[..16]), half(&secret[16..]));
            secrets.tokens.extend([refresh, hex]);
            let access = pair["access_token"].as_str().unwrap();
            secrets
                .tokens
                .push(access.rsplit_once('.').unwrap().1.to_owned());
        }
        let (pending, _) = product.request_code(&phone(each)).await;
        secrets.codes.push(pending);
    }
    secrets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_postgres_nor_redis_holds_one() {
    let postgres = PrivatePostgres::shared();
    let redis = PrivateRedis::start();
    let auth = postgres.create_database("auth");
    let profile = postgres.create_database("profile");
    let product = Product::on(&auth, &profile, &redis.url(), &[]).await;
    let secrets = use_it(&product).await;
    let rows = |url: &str, table: &str| {
        postgres.psql(url, &format!("SELECT row_to_json(t) FROM {table} AS t"))
    };
    let mut stored = rows(&auth, "users") + &rows(&auth, "sessions");
    stored += &rows(&profile, "profiles");
    let mut values = Vec::new();
    for key in redis.raw(&["KEYS", "*"]).lines() {
        values.push(key.to_owned());
        let content = match redis.raw(&["TYPE", key]).trim() {
            "hash" => redis.raw(&["HGETALL", key]),
            "zset" => redis.raw(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
            _ => redis.raw(&["GET", key]),
        };
        values.extend(content.split_whitespace().map(str::to_owned));
    }
    assert!(
        stored.contains(&phone(1)) && values.len() > 20,
        "it is looked at"
    );
    for token in &secrets.tokens {
        assert!(!stored.contains(token));
        assert!(!values.iter().any(|value| value.contains(token)));
    }
    for code in &secrets.codes {
        assert!(!stored.contains(&format!("\"{code}\"")));
        assert!(!values.contains(code));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_a_token() {
    let product = Product::embedded(&[]).await;
    let secrets = use_it(&product).await;
    let data = product.stop().await;
    let mut looked_at = 0;
    for file in std::fs::read_dir(data.path()).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        looked_at += content.len();
        for token in &secrets.tokens {
            let raw = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
            for form in [token.as_bytes(), &raw] {
                let found =
                    !form.is_empty() && content.windows(form.len()).any(|part| part == form);
                assert!(!found, "a token is in a file");
            }
        }
    }
    assert!(looked_at > 10_000, "{looked_at}");
}
