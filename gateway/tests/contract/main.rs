//! What the outside sees of the gateway, byte by byte, over real sockets.

mod auths;
mod bodies;
mod every_answer;
mod http;
mod meta;
mod personal_area;
mod world;
