//! Calls of gRPC: by method and code.

use std::collections::HashMap;

use ::http::Response;
use proto::Reason;
use tonic::{Code, Status};

/// The method of calls that no service here has.
const UNKNOWN: &str = "unknown";
/// What is served beside the contract.
const OTHERS: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The codes, by their number.
pub(super) const CODES: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The methods of the contract, health and reflection.
pub(super) struct Methods {
    /// The last one is for all others.
    names: Vec<String>,
    paths: HashMap<String, usize>,
    longest: usize,
}

impl Methods {
    pub(super) fn new() -> Self {
        let others = OTHERS.iter().copied().map(str::to_owned);
        let mut methods = Self {
            names: Vec::new(),
            paths: HashMap::new(),
            longest: 0,
        };
        for path in proto::paths().into_iter().chain(others) {
            let name = path.rsplit('/').next().unwrap_or(UNKNOWN).to_owned();
            let known = methods.names.iter().position(|each| *each == name);
            let place = known.unwrap_or(methods.names.len());
            if known.is_none() {
                methods.names.push(name);
            }
            methods.longest = methods.longest.max(path.len());
            methods.paths.insert(path, place);
        }
        methods.names.push(UNKNOWN.to_owned());
        methods
    }

    pub(super) fn kinds(&self) -> usize {
        self.names.len()
    }

    pub(super) fn kind(&self, path: &str) -> usize {
        let known = (path.len() <= self.longest).then(|| self.paths.get(path));
        known.flatten().copied().unwrap_or(self.names.len() - 1)
    }

    /// The label `method`.
    pub(super) fn name(&self, kind: usize) -> &str {
        self.names.get(kind).map_or(UNKNOWN, String::as_str)
    }
}

/// The code of an answer. An error is told in its head; where the head says
/// nothing, a message follows.
pub(super) fn place<B>(response: &Response<B>) -> usize {
    let told = response.headers().get(Status::GRPC_STATUS);
    told.map_or(0, |code| number(Code::from_bytes(code.as_bytes())))
}

/// A code's place.
pub(super) fn number(code: Code) -> usize {
    usize::try_from(code as i32).unwrap_or_default()
}

/// The reason of a refusal that was made in this process.
pub(super) fn reason<B>(response: &Response<B>) -> Option<Reason> {
    Reason::of(response.extensions().get::<Status>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_known_by_its_path_alone() {
        let methods = Methods::new();
        let name = |path: &str| methods.name(methods.kind(path));
        assert_eq!(name("/auth.v1.AuthService/RequestCode"), "RequestCode");
        assert_eq!(name("/grpc.health.v1.Health/Check"), "Check");
        for reflection in [OTHERS[2], OTHERS[3]] {
            assert_eq!(name(reflection), "ServerReflectionInfo");
        }
        for other in ["", "/", "/auth.v1.AuthService/requestcode", "/RequestCode"] {
            assert_eq!(name(other), UNKNOWN, "{other}");
        }
        assert_eq!(name(&"/auth".repeat(10_000)), UNKNOWN);
    }

    #[test]
    fn no_two_methods_have_one_name() {
        let paths = proto::paths();
        let methods = Methods::new();
        let of_health = ["Check", "Watch", "ServerReflectionInfo", UNKNOWN];
        assert_eq!(methods.kinds(), paths.len() + of_health.len(), "{paths:?}");
    }

    #[test]
    fn a_code_has_its_number_as_place() {
        for (number_of, name) in CODES.iter().enumerate() {
            let code = Code::from_i32(i32::try_from(number_of).unwrap());
            assert_eq!(number(code), number_of);
            let told = format!("{code:?}").to_uppercase();
            assert_eq!(told, name.replace('_', ""));
        }
    }
}
