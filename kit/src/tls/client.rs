//! Whom calls over TLS trust, and who is calling.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{
    HTTP_2, ServerTls,
    only_this::OnlyThis,
    pem::{Pair, PemFile, certificates, pair_error, private_key, roots},
};
use crate::settings::{ServiceTls, SettingsError};

/// How calls to `https://…` are made: whom to trust, and who is calling.
#[derive(Clone)]
pub struct ClientTls {
    trust: Trust,
    identity: Option<Arc<Identity>>,
}

#[derive(Clone)]
enum Trust {
    /// Certificates of these authorities.
    Authorities(Arc<RootCertStore>),
    /// The holder of this certificate, whatever name it has.
    Only(Arc<OnlyThis>),
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientTls {
    /// Trusts whom browsers trust, and has no certificate.
    pub fn public() -> Self {
        Self {
            trust: Trust::Authorities(Arc::new(public_roots())),
            identity: None,
        }
    }

    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// When one is missing, cannot be read, or does not belong to the other.
    pub fn load(settings: &ServiceTls) -> Result<Self, SettingsError> {
        let prefix = "SERVICE_TLS";
        let mut tls = Self::public();
        if let Some(path) = &settings.service_tls_ca {
            let file = PemFile(format!("{prefix}_CA"), path);
            tls.trust = Trust::Authorities(Arc::new(roots(&file)?));
        }
        let cert = settings.service_tls_cert.as_deref();
        let key = settings.service_tls_key.as_deref();
        if let Some(Pair { cert, key }) = Pair::of(prefix, cert, key)? {
            tls.identity = Some(Arc::new(Identity {
                chain: certificates(&cert.0, &cert.pem()?)?,
                key: private_key(&key.0, &key.pem()?)?,
            }));
        }
        // Only the pair can still be wrong: whether the two belong together.
        tls.config().map_err(|error| pair_error(prefix, &error))?;
        Ok(tls)
    }

    /// The same caller, who trusts that listener alone: it is in this process,
    /// and so its name need not be in its certificate.
    #[must_use]
    pub fn trusting_only(mut self, listener: &ServerTls) -> Self {
        self.trust = Trust::Only(Arc::new(OnlyThis::of(listener)));
        self
    }

    /// Whether the caller has a certificate of its own.
    pub fn has_certificate(&self) -> bool {
        self.identity.is_some()
    }

    /// How connections for calls are made.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = match &self.trust {
            Trust::Authorities(roots) => builder.with_root_certificates(roots.clone()),
            Trust::Only(this) => builder
                .dangerous()
                .with_custom_certificate_verifier(this.clone()),
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let Identity { chain, key } = &**identity;
                builder.with_client_auth_cert(chain.clone(), key.clone_key())?
            }
        };
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Arc::new(config))
    }
}

/// How servers of others are called over HTTP/1.1: whoever browsers trust, or
/// the authorities of the PEM file that `setting` names.
///
/// # Errors
/// When the file cannot be read or has no certificate in it.
pub fn outward(setting: &str, ca: Option<&Path>) -> Result<ClientConfig, SettingsError> {
    let roots = match ca {
        Some(path) => roots(&PemFile(setting.to_owned(), path))?,
        None => public_roots(),
    };
    let unusable = |error: rustls::Error| SettingsError(format!("{setting}: {error}"));
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// The authorities that browsers trust.
fn public_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}
