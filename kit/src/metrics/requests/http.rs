//! Requests of HTTP: by the template of their path, method and status.

use std::collections::HashMap;

use ::http::{Method, Response, StatusCode};
use proto::Reason;

/// The template of paths that there are not.
const UNMATCHED: &str = "unmatched";
/// Paths are not looked up by more than this: none that is longer is known, but
/// those with a parameter.
const LONGEST: usize = 64;
/// The methods, the last one being for all others.
const METHODS: [&str; 9] = [
    "GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "other",
];
/// The statuses, the last one being for all others.
pub(super) const STATUSES: &[&str] = &[
    "200", "204", "304", "400", "401", "403", "404", "405", "413", "415", "429", "500", "503",
    "504", "other",
];

/// The templates of paths.
pub(super) struct Routes {
    /// The last one is for all other paths.
    templates: Vec<String>,
    exact: HashMap<String, usize>,
    /// What stands before the parameter, in a template that ends in one.
    beginnings: Vec<(String, usize)>,
}

impl Routes {
    pub(super) fn new(templates: impl IntoIterator<Item = String>) -> Self {
        let mut routes = Self {
            templates: Vec::new(),
            exact: HashMap::new(),
            beginnings: Vec::new(),
        };
        for template in templates {
            let place = routes.templates.len();
            match template.split_once('{') {
                Some((before, _)) => routes.beginnings.push((before.to_owned(), place)),
                None => drop(routes.exact.insert(template.clone(), place)),
            }
            routes.templates.push(template);
        }
        routes.templates.push(UNMATCHED.to_owned());
        routes
    }

    pub(super) fn kinds(&self) -> usize {
        self.templates.len() * METHODS.len()
    }

    pub(super) fn kind(&self, method: &Method, path: &str) -> usize {
        self.route(path) * METHODS.len() + place_among(&METHODS, method.as_str())
    }

    fn route(&self, path: &str) -> usize {
        let path = match path.strip_suffix('/') {
            None | Some("" | "/") => path,
            Some(path) => path,
        };
        let exact = (path.len() <= LONGEST).then(|| self.exact.get(path));
        if let Some(&place) = exact.flatten() {
            return place;
        }
        let found = self.beginnings.iter().find(|(before, _)| {
            let parameter = path.strip_prefix(before.as_str());
            parameter.is_some_and(|parameter| !parameter.is_empty() && !parameter.contains('/'))
        });
        found.map_or(self.templates.len() - 1, |(_, place)| *place)
    }

    /// The labels `route` and `method`.
    pub(super) fn labels(&self, kind: usize) -> [&str; 2] {
        let (route, method) = (kind / METHODS.len(), kind % METHODS.len());
        let route = self.templates.get(route).map_or(UNMATCHED, String::as_str);
        [route, METHODS[method]]
    }
}

/// A text's place, which is the last one if it is not there.
fn place_among(texts: &[&str], text: &str) -> usize {
    let found = texts.iter().position(|each| *each == text);
    found.unwrap_or(texts.len() - 1)
}

pub(super) fn place(status: StatusCode) -> usize {
    place_among(STATUSES, status.as_str())
}

/// What an answer says of its reason.
pub(super) fn reason<B>(response: &Response<B>) -> Option<Reason> {
    let told = response.headers().get("error-code")?.as_bytes();
    let mut reasons = Reason::ALL.iter().copied();
    reasons.find(|reason| reason.as_str().as_bytes() == told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_template_that_it_is_routed_by() {
        let templates = ["/", "/livez", "/sessions", "/sessions/{id}"];
        let routes = Routes::new(templates.map(str::to_owned));
        let long = format!("/sessions/{}", "a".repeat(500));
        for (path, template) in [
            ("/", "/"),
            ("/livez", "/livez"),
            ("/livez/", "/livez"),
            ("/livez//", UNMATCHED),
            ("//", UNMATCHED),
            ("", UNMATCHED),
            ("/Livez", UNMATCHED),
            ("/sessions", "/sessions"),
            ("/sessions/", "/sessions"),
            ("/sessions/{id}", "/sessions/{id}"),
            ("/sessions/0190/", "/sessions/{id}"),
            (&long, "/sessions/{id}"),
            ("/sessions/0190/x", UNMATCHED),
            ("/sessions//", UNMATCHED),
            ("*", UNMATCHED),
        ] {
            let kind = routes.kind(&Method::GET, path);
            assert_eq!(routes.labels(kind), [template, "GET"], "{path}");
            let kind = routes.kind(&Method::from_bytes(b"BREW").unwrap(), path);
            assert_eq!(routes.labels(kind), [template, "other"], "{path}");
            assert!(kind < routes.kinds());
        }
    }

    #[test]
    fn every_status_has_a_place() {
        for status in 100..1000 {
            let place = place(StatusCode::from_u16(status).unwrap());
            let label = STATUSES[place];
            assert!(label == "other" || label == status.to_string());
        }
    }
}
