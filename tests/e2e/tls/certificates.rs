//! An authority of the test's own, and the flags that name its files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, and a directory for the files of whom it certifies.
pub(super) struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
pub(super) struct Certified {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

impl Authority {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        let path = directory.path().join("ca.pem");
        write(&path, "CERTIFICATE", cert.der());
        let issuer = Issuer::new(params, key);
        Self { directory, issuer }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(super) fn certify(&self, name: &str) -> Certified {
        let own = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let signed = params.signed_by(&own, &self.issuer).unwrap();
        let file = |end: &str| self.directory.path().join(format!("{name}.{end}"));
        let certified = Certified {
            cert: file("pem"),
            key: file("key"),
        };
        write(&certified.cert, "CERTIFICATE", signed.der());
        write(&certified.key, "PRIVATE KEY", own.serialized_der());
        certified
    }

    /// As a service is told whom to trust and who it is.
    pub(super) fn service_flags(&self, own: &Certified) -> [String; 3] {
        [
            flag("--service-tls-ca", &self.ca()),
            flag("--service-tls-cert", &own.cert),
            flag("--service-tls-key", &own.key),
        ]
    }
}

fn write(path: &Path, tag: &str, der: &[u8]) {
    fs::write(path, pem::encode(&pem::Pem::new(tag, der))).unwrap();
}

pub(super) fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

pub(super) fn listener_flags(service: &str, own: &Certified) -> [String; 2] {
    [
        flag(&format!("--{service}-tls-cert"), &own.cert),
        flag(&format!("--{service}-tls-key"), &own.key),
    ]
}
