//! Which calls may be repeated: the `idempotency_level` of the `.proto` files.

use std::{collections::HashSet, sync::LazyLock};

use prost::Message as _;
use prost_types::{FileDescriptorSet, MethodDescriptorProto, method_options::IdempotencyLevel};

use crate::DESCRIPTORS;

/// `grpc.health.v1` says nothing of it, and only asks.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

/// Whether the call of this path, as in `/auth.v1.AuthService/GetJwks`, may be
/// repeated when nobody knows what came of it: it changes nothing, or nothing
/// more the second time.
pub fn is_idempotent(path: &str) -> bool {
    static PATHS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        // What the build wrote can be read; and else nothing is repeated.
        let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default();
        declared(&set)
    });
    path == HEALTH_CHECK || PATHS.contains(path)
}

fn declared(set: &FileDescriptorSet) -> HashSet<String> {
    let mut paths = HashSet::new();
    for file in &set.file {
        for service in &file.service {
            let may_be_repeated = service
                .method
                .iter()
                .filter(|method| level(method).is_some());
            paths.extend(
                may_be_repeated.map(|method| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                }),
            );
        }
    }
    paths
}

fn level(method: &MethodDescriptorProto) -> Option<IdempotencyLevel> {
    let level = method.options.as_ref()?.idempotency_level();
    (level != IdempotencyLevel::IdempotencyUnknown).then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_repeated_only_if_its_contract_says_so() {
        for path in [
            "/auth.v1.AuthService/GetJwks",
            "/auth.v1.AuthService/RefreshTokens",
            "/profile.v1.ProfileService/GetProfile",
            "/profile.v1.ProvisioningService/CreateProfile",
            HEALTH_CHECK,
        ] {
            assert!(is_idempotent(path), "{path}");
        }
        for path in [
            "/auth.v1.AuthService/RequestCode",
            "/auth.v1.AuthService/VerifyCode",
            "/profile.v1.ProfileService/ActivateInvite",
            "/auth.v1.AuthService/NoSuchCall",
            "",
        ] {
            assert!(!is_idempotent(path), "{path}");
        }
    }
}
