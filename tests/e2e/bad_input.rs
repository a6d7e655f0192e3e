//! Bad input gets a 4xx with a sentence that names what is wrong.

use serde_json::json;

use crate::common::{Product, http::request};

crate::on_both_storages![
    bodies_that_are_wrong,
    numbers_that_are_none,
    codes_that_are_none,
    invite_codes_that_are_none,
    tokens_that_are_none,
];

async fn bodies_that_are_wrong(product: Product) {
    let huge = format!("{{\"phone_number\":\"{}\"}}", "7".repeat(20_000));
    let deep = format!("{{\"phone_number\":{}", "[".repeat(8_000));
    let json = "application/json";
    let rows: [(&str, &[u8], u16, &str); 16] = [
        (json, b"", 400, "BODY_MALFORMED"),
        (json, b"nonsense", 400, "BODY_MALFORMED"),
        (json, b"\xff\xfe\xfd", 400, "BODY_MALFORMED"),
        (json, b"{\"phone_number\":\"\xd0\"}", 400, "BODY_MALFORMED"),
        (json, b"[]", 400, "BODY_MALFORMED"),
        (json, b"null", 400, "BODY_MALFORMED"),
        (json, deep.as_bytes(), 400, "BODY_MALFORMED"),
        (json, b"{}", 400, "FIELD_INVALID"),
        (json, b"{\"phone_number\":null}", 400, "FIELD_INVALID"),
        (
            json,
            b"{\"phone_number\":77777777766}",
            400,
            "FIELD_INVALID",
        ),
        (json, b"{\"phone_number\":[]}", 400, "FIELD_INVALID"),
        (
            json,
            b"{\"phone_number\":\"+77777777766\",\"invited_by\":1}",
            400,
            "FIELD_INVALID",
        ),
        (
            json,
            b"{\"phone_number\":\"\"}",
            400,
            "PHONE_NUMBER_INVALID",
        ),
        (json, huge.as_bytes(), 413, "BODY_TOO_LARGE"),
        ("text/plain", b"{}", 415, "CONTENT_TYPE_UNSUPPORTED"),
        (
            "application/x-www-form-urlencoded",
            b"phone_number=%2B77777777766",
            415,
            "CONTENT_TYPE_UNSUPPORTED",
        ),
    ];
    for (content_type, body, status, reason) in rows {
        let headers = [("content-type", content_type)];
        let url = product.url("/api/v1/auths/");
        let answer = request("POST", &url, &headers, body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert_eq!(answer.status, status, "{shown}: {}", answer.body);
        assert_eq!(answer.header("error-code"), reason, "{shown}");
        assert!(!answer.sentence().is_empty());
    }
}

async fn numbers_that_are_none(product: Product) {
    for number in [
        "",
        "+",
        "77777777766",
        "87777777766",
        "+7777",
        "+77777777766123",
        "+999123456789",
        "+٧٧٧٧٧٧٧٧٧٦٦",
        "+７７７７７７７７７６６",
        "+7777777776a",
        "+77777777766\u{0}",
        "☎",
        &"+7".repeat(2_000),
    ] {
        let body = json!({ "phone_number": number });
        let answer = product
            .send("POST", "/api/v1/auths/", None, Some(body))
            .await;
        assert_eq!(answer.status, 400, "{number}");
        assert_eq!(answer.header("error-code"), "PHONE_NUMBER_INVALID");
        assert!(answer.sentence().contains("phone_number"));
    }
}

async fn codes_that_are_none(product: Product) {
    let (code, challenge) = product.request_code("+77777777766").await;
    let refused = "Пользователь не найден, возможно вы ждали дольше 2 минут. \
                   Вернитесь на предыдущий шаг.";
    for other in [
        "",
        "abcd",
        "361",
        "٣٦١٣",
        "３６１３",
        "3613\u{0}",
        " 3613",
        "36 13",
        "-3613",
        "12345678901",
        &"1".repeat(10_000),
    ] {
        let answer = product.verify(other, &challenge).await;
        assert_eq!(
            (answer.status, answer.sentence()),
            (400, refused.to_owned()),
            "{other}"
        );
        assert_eq!(answer.header("error-code"), "CODE_MALFORMED", "{other}");
    }
    for other in [json!(3613), json!(null), json!(["3613"]), json!({})] {
        let body = json!({ "otp": other, "challenge_id": challenge });
        let answer = product
            .send("PATCH", "/api/v1/auths/", None, Some(body))
            .await;
        assert_eq!(
            (answer.status, answer.header("error-code")),
            (400, "FIELD_INVALID")
        );
    }
    for id in [
        "",
        "x",
        "\u{0}",
        &"A".repeat(5_000),
        "AAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let answer = product.verify(&code, id).await;
        assert_eq!(
            (answer.status, answer.sentence()),
            (400, refused.to_owned()),
            "{id}"
        );
    }
    // None of these cost the challenge a try.
    assert_eq!(product.verify(&code, &challenge).await.status, 200);
}

async fn invite_codes_that_are_none(product: Product) {
    let token = product.sign_in("+77777777766").await;
    let longest = "я".repeat(64);
    for code in [
        "2461",
        "l87zw-",
        "l87zwp7",
        "\u{0}",
        "'; --",
        "٣٦١٣٦١",
        " ",
        &longest,
    ] {
        let answer = product.activate(&token, code).await;
        assert_eq!(answer.status, 400, "{code}");
        let expected = format!("ERROR: the client with code: {code} not found.");
        assert_eq!(answer.sentence(), expected);
    }
    for code in [
        json!(""),
        json!("я".repeat(65)),
        json!(246_100),
        json!(null),
    ] {
        let path = "/api/v1/personal-area/";
        let body = json!({ "invited_by": code });
        let answer = product.send("PATCH", path, Some(&token), Some(body)).await;
        assert_eq!(
            (answer.status, answer.header("error-code")),
            (400, "FIELD_INVALID")
        );
    }
}

async fn tokens_that_are_none(product: Product) {
    let good = product.sign_in("+77777777766").await;
    let (head, signature) = good.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let long = "a".repeat(6_000);
    let forged = format!("{head}.{turned}");
    for token in ["x", "a.b.c", "....", &long, head, &forged] {
        let answer = product.get("/api/v1/personal-area/", Some(token)).await;
        let shown = &token[..token.len().min(20)];
        assert_eq!(answer.status, 401, "{shown}: {}", answer.body);
        assert_eq!(answer.header("error-code"), "TOKEN_INVALID", "{shown}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    let missing = product.get("/api/v1/personal-area/", None).await;
    assert_eq!(
        (missing.status, missing.header("error-code")),
        (401, "TOKEN_MISSING")
    );
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    product.profile(&good).await;
}
