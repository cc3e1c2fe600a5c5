#![no_main]
//! Exported audit records, as an auditor's tool reads them.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = sealgate::audit::verify_ndjson(bytes);
});
