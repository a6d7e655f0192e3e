//! TLS from PEM files: for listeners, and for calls between the services.
//!
//! TLS 1.2 and 1.3 by rustls, with `ring` as in [`crate::crypto`]. A listener
//! may ask for certificates of its callers (mutual TLS): whoever has none from
//! the named authority does not get past the handshake.

use std::{fmt, fs, io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::settings::{ServiceTls, SettingsError};

/// HTTP/2 over TLS, as the handshake names it (RFC 9113, section 3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub struct ServerTls {
    acceptor: TlsAcceptor,
    certificate: CertificateDer<'static>,
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

    fn new(
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
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self {
            trust: Trust::Authorities(Arc::new(roots)),
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
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
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

/// Accepts one certificate, by whoever proves to hold its key.
struct OnlyThis {
    certificate: CertificateDer<'static>,
    provider: CryptoProvider,
}

impl OnlyThis {
    fn of(listener: &ServerTls) -> Self {
        Self {
            certificate: listener.certificate.clone(),
            provider: ring::default_provider(),
        }
    }
}

impl fmt::Debug for OnlyThis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnlyThis")
    }
}

impl ServerCertVerifier for OnlyThis {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The setting that names a file, and the file.
struct PemFile<'a>(String, &'a Path);

impl PemFile<'_> {
    fn pem(&self) -> Result<Vec<u8>, SettingsError> {
        fs::read(self.1).map_err(|error| self.wrong(error))
    }

    fn wrong(&self, error: impl fmt::Display) -> SettingsError {
        SettingsError(format!("{}: {}: {error}", self.0, self.1.display()))
    }
}

/// A certificate and its key: one is nothing without the other.
struct Pair<'a> {
    cert: PemFile<'a>,
    key: PemFile<'a>,
}

impl<'a> Pair<'a> {
    fn of(
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

fn certificates(setting: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
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
fn private_key(setting: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, SettingsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        SettingsError(format!(
            "{setting}: there is no private key in PEM in the file"
        ))
    })
}

fn roots(file: &PemFile<'_>) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&file.0, &file.pem()?)? {
        roots.add(certificate).map_err(|error| file.wrong(error))?;
    }
    Ok(roots)
}

fn pair_error(prefix: &str, error: &dyn fmt::Display) -> SettingsError {
    SettingsError(format!(
        "{prefix}_CERT and {prefix}_KEY cannot be used together: {error}"
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use tokio_rustls::TlsConnector;

    use super::*;

    /// A listener's TLS with a certificate of its own making.
    pub(crate) fn server() -> ServerTls {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let chain = vec![certificate.clone()];
        let config = config.with_single_cert(chain, key).unwrap();
        ServerTls::new(config, certificate, Callers::Any)
    }

    /// Shakes hands as a client of that listener.
    pub(crate) async fn connect(
        server: &ServerTls,
        stream: TcpStream,
        protocol: &[u8],
    ) -> tokio_rustls::client::TlsStream<TcpStream> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OnlyThis::of(server)))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await.unwrap()
    }
}
