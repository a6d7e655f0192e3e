//! What a listener needs to speak TLS.

use std::{fmt, io, path::Path, sync::Arc};

use rustls::{ServerConfig, pki_types::CertificateDer, server::WebPkiClientVerifier};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use rustls::crypto::ring;

use super::{
    HTTP_2,
    pem::{Pair, PemFile, certificates, pair_error, private_key, roots},
};
use crate::settings::SettingsError;

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    pub(super) certificate: CertificateDer<'static>,
    callers: Callers,
}

/// Who may call a listener that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Everybody.
    Any,
    /// Who has a certificate of the named authority.
    Certified,
}

/// The PEM files of a listener, as the settings `…_TLS_CERT`, `…_TLS_KEY` and
/// `…_TLS_CLIENT_CA` name them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerFiles<'a> {
    /// The certificate, and those between it and its authority.
    pub cert: Option<&'a Path>,
    /// Its private key.
    pub key: Option<&'a Path>,
    /// The authority of the callers' certificates.
    pub client_ca: Option<&'a Path>,
}

impl ServerTls {
    /// Reads the files of a listener whose settings begin with `prefix`.
    /// `None` when there are none.
    ///
    /// # Errors
    /// When one is missing, cannot be read, or does not belong to the other.
    pub fn load(prefix: &str, files: &ServerFiles<'_>) -> Result<Option<Self>, SettingsError> {
        let ca_name = format!("{prefix}_CLIENT_CA");
        let Some(Pair { cert, key }) = Pair::of(prefix, files.cert, files.key)? else {
            return match files.client_ca {
                None => Ok(None),
                Some(_) => Err(SettingsError(format!(
                    "{ca_name} is set without {prefix}_CERT: certificates are asked for by TLS alone"
                ))),
            };
        };
        let chain = certificates(&cert.0, &cert.pem()?)?;
        let Some(certificate) = chain.first().cloned() else {
            return Err(cert.wrong("there is no certificate in it"));
        };
        let private = private_key(&key.0, &key.pem()?)?;
        let provider = Arc::new(ring::default_provider());
        let unusable = |error: rustls::Error| SettingsError(format!("{prefix}_CERT: {error}"));
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let (builder, callers) = match files.client_ca {
            None => (builder.with_no_client_auth(), Callers::Any),
            Some(path) => {
                let file = PemFile(ca_name, path);
                let roots = Arc::new(roots(&file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| file.wrong(error))?;
                (
                    builder.with_client_cert_verifier(verifier),
                    Callers::Certified,
                )
            }
        };
        let config = builder
            .with_single_cert(chain, private)
            .map_err(|error| pair_error(prefix, &error))?;
        Ok(Some(Self::new(config, certificate, callers)))
    }

    pub(super) fn new(
        mut config: ServerConfig,
        certificate: CertificateDer<'static>,
        callers: Callers,
    ) -> Self {
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
            callers,
        }
    }

    /// Who may call.
    pub fn callers(&self) -> Callers {
        self.callers
    }

    /// Shakes hands.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerTls({:?})", self.callers)
    }
}
