//! The steps of one verification, and which of its errors is reported.

use std::sync::Arc;

use super::error::VerifyError;
use super::verdict::{Reason, Step};
use crate::cert::Examined;

/// Collects steps; checks go on after errors.
#[derive(Debug, Default)]
pub(super) struct Log {
    steps: Vec<Step>,
    reason: Option<Reason>,
    only_names: bool,
}

impl Log {
    /// Notes that all about a certificate was looked at.
    pub(super) fn pass(&mut self, depth: usize, certificate: &Examined) {
        let subject = Some(certificate.certificate().subject().clone());
        self.steps.push(Step { depth, result: Ok(()), subject });
    }

    /// Notes that a raw public key is right.
    pub(super) fn pass_raw_key(&mut self) {
        self.steps.push(Step { depth: 0, result: Ok(()), subject: None });
    }

    /// Notes an error of the certificate at this depth of the chain.
    pub(super) fn fail(&mut self, chain: &[Arc<Examined>], depth: usize, error: VerifyError) {
        let certificate = chain.get(depth).map(|examined| examined.certificate());
        let subject = certificate.map(|certificate| certificate.subject().clone());
        self.steps.push(Step { depth, result: Err(error), subject });
        let issuer = certificate.map(|certificate| certificate.issuer().clone());
        self.choose(Reason { error, depth, issuer });
    }

    /// The first error at the smallest depth is reported, but a wrong name only if there is
    /// nothing else.
    fn choose(&mut self, new: Reason) {
        let is_name = |reason: &Reason| reason.error == VerifyError::HostnameMismatch;
        let better = match &self.reason {
            None => true,
            Some(_) if is_name(&new) => false,
            Some(kept) => is_name(kept) || new.depth < kept.depth,
        };
        self.only_names = is_name(&new) && (self.reason.is_none() || self.only_names);
        if better {
            self.reason = Some(new);
        }
    }

    /// Tells whether there was no error but a wrong name.
    pub(super) const fn is_trusted(&self) -> bool {
        self.reason.is_none() || self.only_names
    }

    /// Tells whether there was no error.
    pub(super) const fn is_clean(&self) -> bool {
        self.reason.is_none()
    }

    pub(super) fn into_parts(self) -> (Vec<Step>, Option<Reason>) {
        (self.steps, self.reason)
    }
}
