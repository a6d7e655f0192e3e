use serde_json::{Value, json};

use super::*;

const API: &str = "/api/v1/";

fn parsed() -> Value {
    serde_json::from_str(&document().unwrap()).unwrap()
}

/// Every operation, as in "get /livez".
fn operations_of(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

fn operation<'a>(document: &'a Value, name: &str) -> &'a Value {
    let (method, path) = name.split_once(' ').unwrap();
    &document["paths"][path][method]
}

#[test]
fn it_describes_every_path_and_no_other() {
    let document = parsed();
    let mut described: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    for path in &described {
        assert_eq!(path.ends_with('/'), path.starts_with(API), "{path}");
    }
    let mut routed: Vec<_> = crate::routes::paths()
        .iter()
        // What a page is made of is no part of the API.
        .filter(|(path, _)| !path.starts_with("/docs/") && !path.starts_with("/dev/sandbox."))
        .map(|(path, _)| {
            let slash = if path.starts_with(API) { "/" } else { "" };
            format!("{path}{slash}")
        })
        .collect();
    described.sort();
    routed.sort();
    assert_eq!(described, routed.iter().collect::<Vec<_>>());
}

#[test]
fn it_is_openapi_3_1() {
    let document = parsed();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "customauth");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
}

#[test]
fn what_it_refers_to_is_there() {
    fn look(document: &Value, value: &Value, found: &mut usize) {
        if let Some(Value::String(pointer)) = value.get("$ref") {
            let target = document.pointer(pointer.strip_prefix('#').unwrap());
            assert!(target.is_some(), "{pointer}");
            *found += 1;
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| look(document, item, found)),
            Value::Object(object) => object.values().for_each(|item| look(document, item, found)),
            _ => {}
        }
    }
    let (document, mut found) = (parsed(), 0);
    look(&document, &document, &mut found);
    assert!(found > 50, "{found}");
}

#[test]
fn every_answer_has_its_headers_and_every_error_its_codes() {
    let document = parsed();
    let operations = operations_of(&document);
    assert_eq!(operations.len(), 19);
    for (name, operation) in operations {
        let text = |key: &str| operation[key].as_str().is_some_and(|text| text.len() > 5);
        assert!(text("summary") && text("description"), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        // A refresh token is no bearer's.
        let token = operation.get("security").is_some() || name.ends_with("/refresh/");
        assert_eq!(responses.contains_key("401"), token, "{name}");
        for (status, response) in responses {
            let header = |header: &str| &response["headers"][header];
            let place = format!("{name} {status}");
            assert!(header("Request-Id")["$ref"].is_string(), "{place}");
            if status.as_str() < "400" {
                continue;
            }
            assert!(header("Error-Code")["required"] == true, "{place}");
            let codes = header("Error-Code")["schema"]["enum"].as_array().unwrap();
            assert!(!codes.is_empty(), "{place}");
            let own = match status.as_str() {
                "401" => Some("WWW-Authenticate"),
                "405" => Some("Allow"),
                "429" | "503" => Some("Retry-After"),
                _ => None,
            };
            for name in ["WWW-Authenticate", "Allow", "Retry-After"] {
                let there = own == Some(name);
                assert_eq!(header(name)["required"] == true, there, "{place} {name}");
            }
        }
    }
}

#[test]
fn every_reason_that_a_client_can_hear_is_there() {
    let text = document().unwrap();
    for reason in proto::Reason::ALL {
        let unheard = matches!(
            reason,
            proto::Reason::Internal | proto::Reason::ServiceTokenRequired
        );
        let told = text.contains(&format!("`{}`", reason.as_str()));
        assert_eq!(told, !unheard, "{reason:?}");
    }
}

#[test]
fn the_documented_examples_are_in_it_to_the_byte() {
    let document = parsed();
    let said = |text: &str| json!({ "response": text });
    let rows = [
        (
            "get /api/v1/auths/",
            None,
            "200",
            "",
            said("use POST and PATCH methods"),
        ),
        (
            "post /api/v1/auths/",
            Some(json!({"phone_number": "+77777777766"})),
            "200",
            "documented",
            said(
                "We will sent code to you in sms.(use 3613), you have 2 minutes to confirm your number!",
            ),
        ),
        (
            "patch /api/v1/auths/",
            Some(json!({"otp": "3613"})),
            "200",
            "",
            json!({"access_token": "access token", "refresh_token": "refresh token"}),
        ),
        (
            "patch /api/v1/auths/",
            None,
            "400",
            "CODE_NOT_ACCEPTED",
            said(
                "Пользователь не найден, возможно вы ждали дольше 2 минут. Вернитесь на предыдущий шаг.",
            ),
        ),
        (
            "get /api/v1/personal-area/",
            None,
            "200",
            "",
            json!({
                "phone_number": "+77777777766",
                "invite_code": "l87zwp",
                "invited_by": null,
                "followers": [],
            }),
        ),
        (
            "patch /api/v1/personal-area/",
            Some(json!({"invited_by": "HdGzEG"})),
            "200",
            "",
            said("Inviter added!"),
        ),
        (
            "patch /api/v1/personal-area/",
            None,
            "400",
            "INVITER_ALREADY_SET",
            said("ERROR: you already have inviter!"),
        ),
        (
            "patch /api/v1/personal-area/",
            None,
            "400",
            "INVITE_CODE_NOT_FOUND",
            said("ERROR: the client with code: 2461 not found."),
        ),
        (
            "patch /api/v1/personal-area/",
            None,
            "400",
            "INVITE_CODE_OWN",
            said("ERROR: you can't use your own invite code!"),
        ),
    ];
    for (name, sent, status, example, answered) in rows {
        let operation = operation(&document, name);
        let json = |message: &Value| message["content"]["application/json"].clone();
        let answer = json(&operation["responses"][status]);
        let found = match example {
            "" => answer["example"].clone(),
            _ => answer["examples"][example]["value"].clone(),
        };
        // As texts: the order of keys counts.
        assert_eq!(found.to_string(), answered.to_string(), "{name} {status}");
        if let Some(sent) = sent {
            let request = json(&operation["requestBody"]);
            assert_eq!(request["examples"]["documented"]["value"], sent, "{name}");
        }
    }
}
