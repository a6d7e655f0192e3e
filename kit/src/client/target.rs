//! One URL of a service: what it says, and a connection to one of its
//! addresses.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::uri::{self, Authority, InvalidUriParts, PathAndQuery, Scheme, Uri};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::sender::Sender;
use crate::tls::{ClientTls, HTTP_2};

/// A parsed URL.
#[derive(Clone)]
pub(super) struct Target {
    scheme: Scheme,
    authority: Authority,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// Reads `http://host:port` or `https://host:port`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let wrong = || format!("'{url}' is no URL such as http://127.0.0.1:50051");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(wrong());
        };
        let is_root = parts.path_and_query.is_none_or(|path| path == "/");
        let named = authority.as_str().contains('@');
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let default_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong()),
        };
        if host.is_empty() || !is_root || named {
            return Err(wrong());
        }
        Self {
            port: authority.port_u16().unwrap_or(default_port),
            scheme,
            authority,
            host,
            tls: None,
        }
        .called_by(&ClientTls::public())
    }

    /// The same, called so if it is an `https://…`.
    pub(super) fn called_by(self, tls: &ClientTls) -> Result<Self, String> {
        if self.scheme != Scheme::HTTPS {
            return Ok(self);
        }
        let url = format!("{}://{}", self.scheme, self.authority);
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| format!("'{url}' has no host that a certificate could name"))?;
        let config = tls.config().map_err(|error| format!("'{url}': {error}"))?;
        Ok(Self {
            tls: Some((config, name)),
            ..self
        })
    }

    /// The path at this service.
    pub(super) fn uri(&self, path: &Uri) -> Result<Uri, InvalidUriParts> {
        let root = || PathAndQuery::from_static("/");
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.path_and_query().cloned().unwrap_or_else(root));
        Uri::from_parts(parts)
    }

    /// Its address, if the URL has one and not a name.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// Whether it is the same URL.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.scheme, &self.authority) == (&other.scheme, &other.authority)
    }

    /// The host, by name or address, and the port.
    pub(super) fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// A connection that is ready for requests.
    pub(super) async fn connect(&self, address: SocketAddr) -> anyhow::Result<Sender> {
        let stream = TcpStream::connect(address).await?;
        // Only a latency matter; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        let Some((config, name)) = &self.tls else {
            return Sender::over(stream).await;
        };
        let connector = TlsConnector::from(config.clone());
        let stream = connector.connect(name.clone(), stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        anyhow::ensure!(agreed, "the server does not speak HTTP/2");
        Sender::over(stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_nothing_else() {
        let read = |url: &str| {
            Target::parse(url).map(|target| (target.host.clone(), target.port, target.address()))
        };
        let address = "127.0.0.1:50051".parse().unwrap();
        assert_eq!(
            read("http://127.0.0.1:50051"),
            Ok(("127.0.0.1".to_owned(), 50051, Some(address)))
        );
        let (host, port, address) = read("http://[::1]:1/").unwrap();
        assert_eq!((&*host, port), ("::1", 1));
        assert!(address.is_some());
        assert_eq!(read("https://b"), Ok(("b".to_owned(), 443, None)));
        for bad in [
            "",
            "127.0.0.1:50051",
            "ftp://a:1",
            "http://",
            "http://:1",
            "http://a:1/path",
            "http://user@a:1",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
