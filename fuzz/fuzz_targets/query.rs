#![no_main]
//! Queries of auditors, as they are typed.

use libfuzzer_sys::fuzz_target;
use sealgate::search::Query;

fuzz_target!(|text: &str| {
    match Query::parse(text, 1_795_000_000_000_000) {
        // What was understood is printed, and read again it is the same.
        Ok(query) if text.len() < 1024 => {
            let printed = query.to_string();
            assert_eq!(Query::parse(&printed, 0).as_ref(), Ok(&query), "{printed}");
        }
        Ok(_) => {}
        Err(misread) => assert!(misread.at <= text.chars().count()),
    }
});
