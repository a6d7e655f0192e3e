//! The end of a server, in two steps.

use tokio_util::sync::CancellationToken;

/// Ends a server. A process of its own takes both steps at once; in the
/// all-in-one process every listener closes at the signal, but a service that
/// others still need goes on serving the connections that it has.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// No new connections, and its health says "not serving".
    pub closing: CancellationToken,
    /// Connections end when what they carry is answered.
    pub ending: CancellationToken,
}

impl Stop {
    /// Takes both steps.
    pub fn at_once(&self) {
        self.closing.cancel();
        self.ending.cancel();
    }
}

impl From<CancellationToken> for Stop {
    /// Both steps when `token` is cancelled.
    fn from(token: CancellationToken) -> Self {
        Self {
            closing: token.clone(),
            ending: token,
        }
    }
}
