//! What the program tells programs: JSON, exit status, and the line of a monitoring plugin.

mod all;
mod explain;
mod hygiene;
mod json;
mod nagios;
mod outcomes;
mod output;
mod scouted;
mod terminal;
