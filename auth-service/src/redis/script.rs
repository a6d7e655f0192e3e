//! What is asked of Redis: a script of this service, or a command.

use ::redis::{Cmd, ToRedisArgs, cmd};

/// A script. In a cluster it touches one slot.
pub(crate) struct Script {
    source: String,
    /// By what a server that has seen the source knows it.
    hash: String,
}

impl Script {
    pub(crate) fn new(source: impl Into<String>) -> Self {
        let source = source.into();
        let hash = ::redis::Script::new(&source).get_hash().to_owned();
        Self { source, hash }
    }

    /// A call of the script. The first key says which node is asked.
    pub(crate) fn call(&self, keys: impl IntoIterator<Item = String>) -> Call<'_> {
        Call {
            script: self,
            keys: keys.into_iter().collect(),
            arguments: Vec::new(),
        }
    }
}

/// A script with its keys and arguments.
pub(crate) struct Call<'a> {
    script: &'a Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

impl Call<'_> {
    pub(crate) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command
            .arg(script)
            .arg(self.keys.len())
            .arg(&self.keys)
            .arg(&self.arguments);
        command
    }
}

/// One question to Redis.
pub(crate) trait Question {
    /// As it is asked first.
    fn usual(&self) -> Cmd;

    /// As a server is asked that does not know the script.
    fn in_full(&self) -> Cmd {
        self.usual()
    }
}

impl Question for Call<'_> {
    fn usual(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// The server that has the keys then knows the script, and no other one
    /// is asked: `SCRIPT LOAD` would need every node of a cluster.
    fn in_full(&self) -> Cmd {
        self.command("EVAL", &self.script.source)
    }
}

impl Question for Cmd {
    fn usual(&self) -> Cmd {
        self.clone()
    }
}
