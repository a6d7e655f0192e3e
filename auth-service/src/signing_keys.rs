//! The keys that sign access tokens (Ed25519, RFC 8032) and are published for
//! everybody to verify them (RFC 7517, RFC 8037).

use std::{fmt, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use proto::auth::v1::Jwk;
use ring::{
    digest,
    signature::{Ed25519KeyPair, KeyPair as _},
};

/// The PEM label of a PKCS#8 private key (RFC 5958).
const PEM_TAG: &str = "PRIVATE KEY";

/// Why keys cannot be used. It never shows one.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("expected PEM blocks, or the path of a file of them, which cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// There is no PEM block.
    #[error(
        "expected PEM blocks of Ed25519 private keys (make one with: openssl genpkey -algorithm ed25519)"
    )]
    NoPem,
    /// A block holds something else.
    #[error("PEM block {0} is no Ed25519 private key in PKCS#8")]
    NotEd25519(usize),
}

/// The keys of `AUTH_SIGNING_KEY`: the first signs, all are published.
pub struct SigningKeys {
    signing: Ed25519KeyPair,
    jwks: Vec<Jwk>,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.jwks.iter().map(|key| &key.kid);
        formatter.debug_list().entries(ids).finish()
    }
}

impl SigningKeys {
    /// Reads the setting: PEM blocks, or the path of a file of them.
    ///
    /// # Errors
    /// When there is no Ed25519 key, or something else among them.
    pub fn from_setting(setting: &str) -> Result<Self, KeyError> {
        if setting.contains("-----BEGIN") {
            return Self::from_pem(setting);
        }
        let path = Path::new(setting.trim());
        let text = std::fs::read_to_string(path).map_err(KeyError::Unreadable)?;
        Self::from_pem(&text)
    }

    /// Reads PEM blocks.
    ///
    /// # Errors
    /// When there is no Ed25519 key, or something else among them.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let blocks = pem::parse_many(text).map_err(|_| KeyError::NoPem)?;
        let first = blocks.first().ok_or(KeyError::NoPem)?;
        let signing = key_pair(first).ok_or(KeyError::NotEd25519(1))?;
        let jwks = blocks
            .iter()
            .enumerate()
            .map(|(index, block)| public_key(block).ok_or(KeyError::NotEd25519(index + 1)))
            .collect::<Result<_, _>>()?;
        Ok(Self { signing, jwks })
    }

    /// The key that signs, and its id.
    pub fn signing(&self) -> (&str, &Ed25519KeyPair) {
        // Never empty: `from_pem` refuses that.
        let kid = self.jwks.first().map_or("", |key| &key.kid);
        (kid, &self.signing)
    }

    /// The public key of this id.
    pub fn public(&self, kid: &str) -> Option<DecodingKey> {
        let key = self.jwks.iter().find(|key| key.kid == kid)?;
        DecodingKey::from_ed_components(&key.x).ok()
    }

    /// All public keys, the signing one first.
    pub fn jwks(&self) -> &[Jwk] {
        &self.jwks
    }
}

fn key_pair(block: &pem::Pem) -> Option<Ed25519KeyPair> {
    if block.tag() != PEM_TAG {
        return None;
    }
    // PKCS#8 version 1 (openssl) has no public key in it, version 2 (ring) has.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(block.contents()).ok()
}

fn public_key(block: &pem::Pem) -> Option<Jwk> {
    let x = URL_SAFE_NO_PAD.encode(key_pair(block)?.public_key());
    Some(Jwk {
        kid: thumbprint(&x),
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        alg: "EdDSA".to_owned(),
        r#use: "sig".to_owned(),
        x,
    })
}

/// RFC 7638: the SHA-256 of the required members, in this order and spelling.
fn thumbprint(x: &str) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example key of RFC 8037, appendix A.
    const RFC8037: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn the_id_is_the_thumbprint_of_rfc_8037() {
        let keys = SigningKeys::from_pem(RFC8037).unwrap();
        let [key] = keys.jwks() else { panic!() };
        assert_eq!(key.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(keys.signing().0, key.kid);
    }

    #[test]
    fn the_first_of_several_signs() {
        let generated = Ed25519KeyPair::generate_pkcs8(&{
            #[expect(clippy::disallowed_methods, reason = "ring takes no other")]
            ring::rand::SystemRandom::new()
        });
        let second = pem::encode(&pem::Pem::new(PEM_TAG, generated.unwrap().as_ref()));
        let keys = SigningKeys::from_pem(&format!("{RFC8037}\n{second}")).unwrap();
        assert_eq!(keys.jwks().len(), 2);
        assert_eq!(keys.signing().0, keys.jwks()[0].kid);
        assert_ne!(keys.jwks()[0].kid, keys.jwks()[1].kid);
    }

    #[test]
    fn anything_else_is_refused_without_showing_it() {
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
        let rubbish = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for text in [
            "",
            "secret",
            public,
            rubbish,
            &format!("{RFC8037}{rubbish}"),
        ] {
            let error = SigningKeys::from_pem(text).unwrap_err().to_string();
            assert!(!error.contains("AAAA") && !error.contains("secret"));
        }
        // A key without its armour is taken for a path.
        let error = SigningKeys::from_setting("MC4CAQAwBQYDK2VwBCIEIJ1h").unwrap_err();
        assert!(!error.to_string().contains("MC4CAQ"));
    }
}
