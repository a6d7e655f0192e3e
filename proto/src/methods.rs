//! Which calls there are.

use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::DESCRIPTORS;

/// The paths of all calls of the contract, as in `/auth.v1.AuthService/GetJwks`.
pub fn paths() -> Vec<String> {
    // What the build wrote can be read.
    let set = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default();
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            paths.extend(service.method.iter().map(|method| {
                let (service, method) = (service.name(), method.name());
                format!("/{}.{service}/{method}", file.package())
            }));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_there() {
        let paths = paths();
        for path in [
            "/auth.v1.AuthService/RequestCode",
            "/profile.v1.ProfileService/GetProfile",
            "/profile.v1.ProvisioningService/CreateProfile",
        ] {
            assert!(paths.iter().any(|each| each == path), "{path}: {paths:?}");
        }
    }
}
