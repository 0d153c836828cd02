//! The judge: real and broken certificates, beside OpenSSL and beside rustls-webpki.

#[path = "judge/bounds.rs"]
mod bounds;
#[path = "judge/chains.rs"]
mod chains;
#[path = "judge/dane.rs"]
mod dane;
#[path = "judge/extensions.rs"]
mod extensions;
#[path = "judge/levels.rs"]
mod levels;
#[path = "judge/signatures.rs"]
mod signatures;
#[path = "judge/webpki.rs"]
mod webpki;
