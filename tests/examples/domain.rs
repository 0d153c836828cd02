//! Keeps a domain up that is worth a survey, for measurements: `domain FIRST-ADDRESS NAME-SERVER`.
//!
//! It tells the mail servers' port, and lives until its standard input ends.

use std::io::{self, Read as _, Write as _};

use tlsfinger_tests::domain::Domain;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = || io::Error::other("usage: domain FIRST-ADDRESS NAME-SERVER:PORT");
    let [first, names] = &words[..] else { return Err(usage()) };
    let (Ok(first), Ok(names)) = (first.parse(), names.parse()) else { return Err(usage()) };
    let domain = Domain::start(first, names)?;
    writeln!(io::stdout(), "{}", domain.port)?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
