//! The OpenAPI document: what the handlers say of themselves, and what holds
//! for all of them.

pub(crate) mod page;
pub(crate) mod refusals;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, Header, Object, Ref, RefOr, Required, Type,
        extensions::Extensions,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::routes::{auths, meta, personal_area, reference, sandbox, sessions, tokens};

#[derive(OpenApi)]
#[openapi(
    info(title = "customauth", description = include_str!("openapi/about.md")),
    paths(
        auths::usage,
        auths::request_code,
        auths::verify_code,
        tokens::refresh,
        sessions::sign_out,
        sessions::list,
        sessions::revoke,
        personal_area::profile,
        personal_area::activate_invite,
        personal_area::followers,
        personal_area::erase,
        meta::jwks,
        meta::livez,
        meta::readyz,
        meta::metrics,
        reference::document,
        reference::page,
        sandbox::messages,
        sandbox::page,
    ),
    tags(
        (name = "Sign-in", description = "A phone number, a code, a pair of tokens."),
        (name = "Sessions", description = "Where the user is signed in, and signing out."),
        (name = "Personal area", description = "The user's profile, inviter and followers."),
        (name = "For machines", description = "Public keys, health, and this document."),
        (name = "Sandbox", description = "What a simulated delivery would have sent."),
    ),
    modifiers(&WhatAllShare),
)]
struct Document;

/// The document, as JSON.
///
/// # Errors
/// None: what it is made of always can be written as JSON.
pub(crate) fn document() -> serde_json::Result<String> {
    Document::openapi().to_json()
}

/// The name of the header that every request may have and every answer has.
const REQUEST_ID: &str = "Request-Id";
/// The scheme of `Authorization`, as operations name it.
const BEARER: &str = "bearer";
/// The headers that are not in all answers of their kind.
const OPTIONAL: &[&str] = &["Link"];

/// The parameters of queries of which an empty one is as absent.
const MAY_BE_EMPTY: &[&str] = &["page_size", "page_token"];

/// Adds what no handler has to say.
struct WhatAllShare;

impl Modify for WhatAllShare {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            operations(item).for_each(complete);
        }
        let components = document.components.get_or_insert_default();
        components
            .parameters
            .insert(REQUEST_ID.to_owned(), request_id().into());
        components
            .headers
            .insert(REQUEST_ID.to_owned(), answered_id().into());
        components.add_security_scheme(BEARER, bearer());
        refusals::add_schemas(components);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        post,
        patch,
        delete,
        ..
    } = item;
    [get, post, patch, delete].into_iter().flatten()
}

/// The id of the request, what may be empty in it, and of its answers the headers
/// that are always there.
fn complete(operation: &mut Operation) {
    let id = Ref::new(format!("#/components/parameters/{REQUEST_ID}"));
    let parameters = operation.parameters.get_or_insert_default();
    for parameter in &mut *parameters {
        if let RefOr::T(parameter) = parameter
            && MAY_BE_EMPTY.contains(&parameter.name.as_str())
        {
            parameter.extensions = Some(flag("allowEmptyValue"));
        }
    }
    parameters.push(RefOr::Ref(id));
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        for (name, header) in &mut response.headers {
            if let RefOr::T(header) = header
                && !OPTIONAL.contains(&name.as_str())
            {
                header.extensions = Some(flag("required"));
            }
        }
        let id = Ref::new(format!("#/components/headers/{REQUEST_ID}"));
        let headers = &mut response.headers;
        headers.insert(REQUEST_ID.to_owned(), RefOr::Ref(id));
    }
}

/// What utoipa's types have no field for.
fn flag(name: &str) -> Extensions {
    Extensions::from_iter([(name, true)])
}

fn request_id() -> Parameter {
    ParameterBuilder::new()
        .name(REQUEST_ID)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "An id to find the request by, in the logs of all services: 1 to 128 letters, \
             digits and `._:=+/-`. Any other is replaced.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn answered_id() -> Header {
    let mut header = Header::new(Object::with_type(Type::String));
    header.description = Some("The id of the request: its own, or one made for it.".to_owned());
    header.extensions = Some(flag("required"));
    header
}

fn bearer() -> SecurityScheme {
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token, from `PATCH /api/v1/auths/` or a refresh. It is good for ten \
                 minutes.",
            ))
            .build(),
    )
}

#[cfg(test)]
mod tests;
