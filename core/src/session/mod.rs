//! One connection: from its opening to its last words.

mod ehlo;
mod reply;

pub use ehlo::Capabilities;
pub use reply::Reply;
