//! The validators against an independent implementation and published samples.

use super::*;
use serde::de::value::StrDeserializer;
use serde::de::{IntoDeserializer, value::Error};

fn check(name: &str) -> Check {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    Check::deserialize(name).unwrap()
}

#[test]
fn check_digits_agree_with_an_independent_implementation() {
    let mut wrong = Vec::new();
    for line in include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, value, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let value: Vec<u8> = value.bytes().filter(u8::is_ascii_alphanumeric).collect();
        if check(name).passes(&value) != (expected == "yes") {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn published_samples_pass() {
    for (name, value) in [
        ("card", "4111111111111111"),
        ("card", "5555555555554444"),
        ("card", "378282246310005"),
        ("card", "6011111111111117"),
        ("card", "30569309025904"),
        ("card", "3530111333300000"),
        ("card", "2223003122003222"),
        ("card", "6200000000000005"),
        ("card", "4222222222222"),
        ("aba_routing", "021000021"),
        ("us_npi", "1234567893"),
        ("us_mbi", "1EG4TE5MK73"),
        ("us_dea", "AB1234563"),
        ("uk_nhs", "9434765919"),
        ("uk_nino", "AB123456C"),
        ("au_medicare", "2123456701"),
        ("de_steuer_id", "86095742719"),
        ("de_svnr", "15070649C103"),
        ("de_svnr", "65180539W001"),
        ("sg_nric", "S1234567D"),
        ("kr_rrn", "9001011234567"),
        ("my_nric", "900101145566"),
        ("swift_bic", "DEUTDEFF"),
        ("vin", "1HGCM82633A004352"),
        ("in_pan", "AAAPL1234C"),
        ("dk_cpr", "0101701234"),
    ] {
        assert!(check(name).passes(value.as_bytes()), "{name} {value}");
    }
    for (name, value) in [
        ("card", "4111111111111112"),
        ("card", "1234567812345670"),
        ("card", "0000000000000000"),
        ("us_ssn", "666228726"),
        ("us_ssn", "000228726"),
        ("uk_nino", "GB123456A"),
        ("vin", "1HGCM82643A004352"),
        ("swift_bic", "SOMEZZWORD"),
        ("us_mbi", "1SG4TE5MK73"),
    ] {
        assert!(!check(name).passes(value.as_bytes()), "{name} {value}");
    }
    assert!(mod_97("DE89370400440532013000") && !mod_97("DE89370400440532013001"));
    assert_eq!((iban_length(b"de"), iban_length(b"ZZ")), (Some(22), None));
}
