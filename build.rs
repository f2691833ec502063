//! Tells the program what it was built from and with: `hids_build_info` and `hids --version` repeat it.

use std::path::Path;
use std::process::Command;

fn main() {
    // Named only where it is: cargo would build anew each time for a file that is missing.
    println!("cargo::rerun-if-changed={}", if Path::new(".git/HEAD").exists() { ".git/HEAD" } else { "build.rs" });
    println!("cargo::rerun-if-env-changed=HIDS_REVISION");
    let said = |program: &str, arguments: &[&str]| {
        let out = Command::new(program).args(arguments).output().ok().filter(|out| out.status.success())?;
        Some(String::from_utf8_lossy(&out.stdout).trim().to_owned()).filter(|text| !text.is_empty())
    };
    // A packager who builds without the repository names the revision in the environment.
    let revision = std::env::var("HIDS_REVISION").ok().or_else(|| said("git", &["rev-parse", "--short", "HEAD"]));
    let rustc = std::env::var("RUSTC").ok().and_then(|rustc| said(&rustc, &["--version"]));
    for (name, value) in [("HIDS_REVISION", revision), ("HIDS_RUSTC", rustc)] {
        println!("cargo::rustc-env={name}={}", value.as_deref().unwrap_or("unknown"));
    }
}
