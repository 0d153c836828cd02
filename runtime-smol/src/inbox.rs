//! The way into a run: inputs from outside, and word of the transports that can advance.

use std::io;

use smol::channel::{Receiver, Sender, unbounded};
use tlsfinger_core::Input;
use tlsfinger_core::machine::TransportId;

/// Where a run takes inputs from that do not come from its transports.
#[derive(Debug)]
pub struct Inbox {
    news: Receiver<News>,
    handle: Handle,
}

/// Gives inputs to a run from any thread or task.
#[derive(Clone, Debug)]
pub struct Handle {
    news: Sender<News>,
}

#[derive(Debug)]
pub(crate) enum News {
    /// What a transport waited for has come, or cannot be waited for.
    Ready(TransportId, io::Result<()>),
    Given(Input),
}

impl Inbox {
    /// Makes an empty inbox.
    pub fn new() -> Self {
        let (sender, news) = unbounded();
        Self { news, handle: Handle { news: sender } }
    }

    /// Makes one more handle.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    pub(crate) fn give(&self, input: Input) {
        self.handle.give(input);
    }

    pub(crate) async fn next(&self) -> News {
        match self.news.recv().await {
            Ok(news) => news,
            // Not while the inbox has a handle of its own.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Handle {
    /// Gives an input; lost if the run is over.
    pub fn give(&self, input: Input) {
        self.tell(News::Given(input));
    }

    pub(crate) fn tell(&self, news: News) {
        self.news.try_send(news).ok();
    }
}
