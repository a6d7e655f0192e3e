//! What is asked of Redis: a script of this service, or a command.

use ::redis::{Arg, Cmd, ToRedisArgs, cmd};

/// How many words most calls have, and how long they are together, in bytes.
const MOST_WORDS: usize = 12;
const USUAL_LENGTH: usize = 256;

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
        let keys: Vec<String> = keys.into_iter().collect();
        // It grows to this anyway, by doubling.
        let mut command = Cmd::with_capacity(MOST_WORDS, USUAL_LENGTH);
        command.arg("EVALSHA");
        command.arg(&self.hash).arg(keys.len()).arg(keys);
        Call {
            script: self,
            command,
        }
    }
}

/// A script with its keys and arguments.
pub(crate) struct Call<'a> {
    script: &'a Script,
    command: Cmd,
}

impl Call<'_> {
    pub(crate) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }
}

/// One question to Redis.
pub(crate) trait Question {
    /// As it is asked first.
    fn usual(&self) -> &Cmd;

    /// As a server is asked that does not know the script.
    fn in_full(&self) -> Cmd {
        self.usual().clone()
    }
}

impl Question for Call<'_> {
    fn usual(&self) -> &Cmd {
        &self.command
    }

    /// The server that has the keys then knows the script, and no other one
    /// is asked: `SCRIPT LOAD` would need every node of a cluster.
    fn in_full(&self) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(&self.script.source);
        // What follows the command's name and the hash.
        for argument in self.command.args_iter().skip(2) {
            if let Arg::Simple(argument) = argument {
                command.arg(argument);
            }
        }
        command
    }
}

impl Question for Cmd {
    fn usual(&self) -> &Cmd {
        self
    }
}
