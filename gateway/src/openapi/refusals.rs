//! The errors of an operation, from the reasons that it may have: their
//! statuses and headers are those that `problem` really gives.

use std::collections::BTreeMap;

use proto::Reason;
use serde_json::json;
use utoipa::openapi::{
    Components, ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response,
    ResponseBuilder, Type,
    example::{Example, ExampleBuilder},
    schema::SchemaType,
};

use crate::{problem, texts};

/// What any request may come to.
pub(crate) const ANY: &[Reason] = &[
    Reason::MethodNotAllowed,
    Reason::Overloaded,
    Reason::DeadlineExceeded,
];
/// What may be wrong with a body.
pub(crate) const BODY: &[Reason] = &[
    Reason::BodyMalformed,
    Reason::FieldInvalid,
    Reason::BodyTooLarge,
    Reason::ContentTypeUnsupported,
];
/// What may be wrong with an access token.
pub(crate) const USER: &[Reason] = &[
    Reason::TokenMissing,
    Reason::TokenInvalid,
    Reason::TokenExpired,
    Reason::SessionEnded,
];
/// What may be wrong with a service.
pub(crate) const SERVICE: &[Reason] = &[Reason::DependencyUnavailable];

/// The schema of an error's body.
const ERROR: &str = "Error";

/// Names the reasons for which an operation refuses, as a type that stands
/// among its `responses`.
macro_rules! refused {
    ($(#[$doc:meta])* $name:ident: $($groups:expr),+) => {
        $(#[$doc])*
        pub(crate) enum $name {}

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::openapi::refusals::responses(&[$($groups),+])
            }
        }
    };
}
pub(crate) use refused;

/// The answers that `groups` of reasons lead to, by status.
pub(crate) fn responses(groups: &[&[Reason]]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status = BTreeMap::<u16, Vec<Reason>>::new();
    for &reason in groups.iter().copied().flatten() {
        let status = problem::status(reason).as_u16();
        by_status.entry(status).or_default().push(reason);
    }
    by_status
        .into_iter()
        .map(|(status, reasons)| (status.to_string(), response(status, &reasons).into()))
        .collect()
}

fn response(status: u16, reasons: &[Reason]) -> Response {
    let meanings = reasons
        .iter()
        .map(|&reason| format!("- `{}`: {}", reason.as_str(), meaning(reason)));
    let description = meanings.collect::<Vec<_>>().join("\n");
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ERROR)))
        .examples_from_iter(reasons.iter().filter_map(|&reason| documented(reason)))
        .build();
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .header("Error-Code", error_code(reasons));
    for (name, header) in headers(status) {
        response = response.header(name, header);
    }
    response.build()
}

/// The sentence that the API document has for a reason.
fn documented(reason: Reason) -> Option<(&'static str, Example)> {
    let text = match reason {
        Reason::CodeNotAccepted => texts::code_not_accepted(120),
        Reason::InviteCodeNotFound => texts::invite_code_not_found("2461"),
        Reason::InviteCodeOwn => texts::INVITE_CODE_OWN.to_owned(),
        Reason::InviterAlreadySet => texts::INVITER_ALREADY_SET.to_owned(),
        _ => return None,
    };
    let value = json!({ "response": text });
    let example = ExampleBuilder::new().value(Some(value)).build();
    Some((reason.as_str(), example))
}

fn error_code(reasons: &[Reason]) -> Header {
    let names = reasons.iter().map(|reason| reason.as_str());
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names));
    header("What is wrong, for programs.", schema)
}

fn headers(status: u16) -> Vec<(&'static str, Header)> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    match status {
        401 => vec![(
            "WWW-Authenticate",
            header("How to sign in.", text().enum_values(Some(["Bearer"]))),
        )],
        405 => vec![("Allow", header("The methods that there are.", text()))],
        429 | 503 => {
            let seconds = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1));
            vec![(
                "Retry-After",
                header("Try again in so many seconds.", seconds),
            )]
        }
        _ => vec![],
    }
}

fn header(description: &str, schema: ObjectBuilder) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

/// Adds the schema of an error's body.
pub(crate) fn add_schemas(components: &mut Components) {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some("What is wrong, in a sentence."));
    let error = ObjectBuilder::new()
        .property("response", text)
        .required("response")
        .description(Some(
            "An error. Its header `Error-Code` tells it from others.",
        ))
        .build();
    components.schemas.insert(ERROR.to_owned(), error.into());
}

/// What a reason means to a client of the JSON API.
fn meaning(reason: Reason) -> &'static str {
    match reason {
        Reason::PhoneNumberInvalid => "no E.164 number, or none that its country can have.",
        Reason::CodeMalformed => "no code at all; this costs no try.",
        Reason::CodeNotAccepted => {
            "wrong, late, spent, or no such challenge: these are never told apart."
        }
        Reason::InviteCodeNotFound => "nobody has this invite code.",
        Reason::InviteCodeOwn => "the invite code is the user's own.",
        Reason::InviterAlreadySet => "an invite code was activated before.",
        Reason::TokenMissing => "no `Authorization` came with the request.",
        Reason::TokenInvalid => "the token is malformed, forged, or meant for something else.",
        Reason::TokenExpired => "the access token's time is over: refresh it.",
        Reason::SessionEnded => "the session was ended, or its user is no more: sign in again.",
        Reason::TooManyCodes => "a limit on codes.",
        Reason::SmsCountryNotAllowed => "no messages are sent to the number's country.",
        Reason::SmsBudgetExhausted => {
            "no more messages are sent today, in all or to the number's country."
        }
        Reason::SmsSuspended => {
            "messages are held back: too few codes were entered of those that went there."
        }
        Reason::TooManyAttempts => "a limit on attempts.",
        Reason::DependencyUnavailable => {
            "a service or a store cannot be used now; nothing is spent."
        }
        Reason::Overloaded => "more requests at once than are taken on.",
        Reason::DeadlineExceeded => "the request was not answered in its time.",
        Reason::BodyMalformed => "the body is no JSON object in UTF-8.",
        Reason::FieldInvalid => "a field is missing, of the wrong type, or out of range.",
        Reason::BodyTooLarge => "the body is larger than 16 KiB.",
        Reason::ContentTypeUnsupported => "the body is not `application/json`, or is compressed.",
        Reason::PathNotFound => "nothing is at this path.",
        Reason::MethodNotAllowed => "this path does not take the method of the request.",
        Reason::PageTokenInvalid => "the page token was not made by this service.",
        Reason::SessionNotFound => "the user has no such session.",
        Reason::ServiceTokenRequired | Reason::Internal => "a fault of the service.",
    }
}
