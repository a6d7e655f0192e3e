//! TLS from PEM files: for listeners, and for calls between the services.
//!
//! TLS 1.2 and 1.3 by rustls, with `ring` as in [`crate::crypto`]. A listener
//! may ask for certificates of its callers (mutual TLS): whoever has none from
//! the named authority does not get past the handshake.

mod client;
mod only_this;
mod pem;
mod server;

pub use client::{ClientTls, outward};
pub use server::{Callers, ServerFiles, ServerTls};

/// HTTP/2 over TLS, as the handshake names it (RFC 9113, section 3.2).
pub(crate) const HTTP_2: &[u8] = b"h2";

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use rustls::{
        ClientConfig, ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, ServerName},
    };
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    use super::{only_this::OnlyThis, *};

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
