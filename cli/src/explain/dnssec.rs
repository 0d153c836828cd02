//! The chain of trust, zone by zone.

use std::collections::BTreeSet;

use tlsfinger_core::resolve::{ChainStep, RouteFacts};

use super::Page;
use crate::line::Tone;

/// Tells how far each answer can be trusted, and which step decided that. What several answers
/// have in common is told once.
pub(super) fn chains(route: &RouteFacts, page: &mut Page) {
    if route.proofs.is_empty() {
        return;
    }
    page.title("DNSSEC, from the trust anchor down");
    let mut told = BTreeSet::new();
    for proof in &route.proofs {
        for step in &proof.steps {
            let text = step.to_string();
            if told.contains(&text) {
                continue;
            }
            let (label, tone) = match step {
                ChainStep::Anchor { .. } => ("Anchor", Tone::Plain),
                ChainStep::Ds { .. } => ("Delegated", Tone::Plain),
                ChainStep::Keys { .. } => ("Keys", Tone::Plain),
                ChainStep::Records { .. } => ("Secure", Tone::Good),
                ChainStep::Denial { .. } => ("Denied", Tone::Good),
                ChainStep::Insecure { .. } => ("Insecure", Tone::Doubtful),
                ChainStep::Broken { .. } => ("Bogus", Tone::Bad),
            };
            page.toned(label, tone, &text);
            told.insert(text);
        }
        let (name, record) = (&proof.name, proof.record);
        if let Some(error) = proof.extended_error() {
            let purpose = error.purpose().unwrap_or_default();
            let text = format!("{name} {record}: error {} of RFC 8914, {purpose}", error.code);
            page.field("", &text);
        }
    }
}
