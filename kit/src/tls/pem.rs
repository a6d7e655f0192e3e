//! PEM files: certificates and keys.

use std::{fmt, fs, path::Path};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::settings::SettingsError;

/// The setting that names a file, and the file.
pub(super) struct PemFile<'a>(pub(super) String, pub(super) &'a Path);

impl PemFile<'_> {
    pub(super) fn pem(&self) -> Result<Vec<u8>, SettingsError> {
        fs::read(self.1).map_err(|error| self.wrong(error))
    }

    pub(super) fn wrong(&self, error: impl fmt::Display) -> SettingsError {
        SettingsError(format!("{}: {}: {error}", self.0, self.1.display()))
    }
}

/// A certificate and its key: one is nothing without the other.
pub(super) struct Pair<'a> {
    pub(super) cert: PemFile<'a>,
    pub(super) key: PemFile<'a>,
}

impl<'a> Pair<'a> {
    pub(super) fn of(
        prefix: &str,
        cert: Option<&'a Path>,
        key: Option<&'a Path>,
    ) -> Result<Option<Self>, SettingsError> {
        let names = (format!("{prefix}_CERT"), format!("{prefix}_KEY"));
        let alone = |set: &str, missing: &str| {
            SettingsError(format!(
                "{missing} is not set, but {set} is: TLS needs both"
            ))
        };
        match (cert, key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some(Self {
                cert: PemFile(names.0, cert),
                key: PemFile(names.1, key),
            })),
            (Some(_), None) => Err(alone(&names.0, &names.1)),
            (None, Some(_)) => Err(alone(&names.1, &names.0)),
        }
    }
}

pub(super) fn certificates(
    setting: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let wrong = |error| SettingsError(format!("{setting}: no certificates in PEM: {error}"));
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found.map_err(wrong)? {
        none if none.is_empty() => Err(SettingsError(format!(
            "{setting}: there is no certificate in PEM in the file"
        ))),
        some => Ok(some),
    }
}

/// Never repeats anything of the file.
pub(super) fn private_key(
    setting: &str,
    pem: &[u8],
) -> Result<PrivateKeyDer<'static>, SettingsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        SettingsError(format!(
            "{setting}: there is no private key in PEM in the file"
        ))
    })
}

pub(super) fn roots(file: &PemFile<'_>) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&file.0, &file.pem()?)? {
        roots.add(certificate).map_err(|error| file.wrong(error))?;
    }
    Ok(roots)
}

pub(super) fn pair_error(prefix: &str, error: &dyn fmt::Display) -> SettingsError {
    SettingsError(format!(
        "{prefix}_CERT and {prefix}_KEY cannot be used together: {error}"
    ))
}
