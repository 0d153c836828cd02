//! The program itself, as people run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Tells where the program is; builds it first if it is not there as it should be.
///
/// # Panics
///
/// When it cannot be built.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "tlsfinger"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status =
            build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("there is cargo");
        assert!(status.success(), "the program does not build");
        // This executable is in `deps` or `examples` of the folder of its profile.
        let this = std::env::current_exe().expect("the system tells");
        let folder = this.ancestors().nth(2).expect("a folder of the profile");
        folder.join(format!("tlsfinger{}", std::env::consts::EXE_SUFFIX))
    })
}

/// Runs the program with these arguments; its main.cf is one in `config` that says next to nothing.
///
/// # Panics
///
/// When it cannot be run.
pub fn run(config: &Path, arguments: &[&str]) -> Output {
    command(config, arguments).output().expect("the program can be run")
}

/// Prepares to [`run`] the program.
///
/// # Panics
///
/// When its main.cf cannot be written.
pub fn command(config: &Path, arguments: &[&str]) -> Command {
    std::fs::write(config.join("main.cf"), "compatibility_level = 3.11\n")
        .expect("the folder can be written");
    let mut program = Command::new(path());
    program.args(arguments).env("MAIL_CONFIG", config).env_remove("NO_COLOR").env("TERM", "xterm");
    program
}
