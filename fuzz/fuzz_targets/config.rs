#![no_main]
//! The configuration file.

use libfuzzer_sys::fuzz_target;
use sealgate::config::{Config, Env};
use std::path::Path;

fuzz_target!(|text: &str| {
    // Paths are only read, never opened: the folder does not exist.
    if let Err(problems) = Config::from_text(text, Path::new("/nonexistent/sealgate.yaml"), &Env::of([])) {
        assert!(!problems.is_empty(), "refused without a reason");
    }
});
